// Secrets that are planted where they belong are found nowhere else: after load on all modes,
// vendors that refuse and repeat the key they were shown, a crash, and somebody who wants a core.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, request as ask } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Cluster } from '../cluster.mjs'
import { World, bin, run, sleep, until } from '../harness.mjs'
import { Issuer } from '../issuer.mjs'
import { Canaries, filesOf } from '../leaks.mjs'

const KEYS = {
  'openai.api_key': 'sk-canary-4f9a1c77e2b04d6f8a53',
  'cartesia.api_key': 'ca-canary-19d0c6ab35e84f7290b1',
  'tavus.api_key': 'ta-canary-c83e5502fd9146b7a6ed',
}
const OPERATOR = 'canary-operator-7be1f0d2934c4a58'

// Root may read any process; so the gateway, and who wants to look into it, have no rights but
// those of their user.
const isRoot = process.getuid() === 0
const BARE = isRoot ? ['setpriv', '--inh-caps=-all', '--bounding-set=-all'] : []

// Stands between the gateway and the simulator: sees the key, hands requests on with the
// simulator's; or refuses, and repeats what it was shown.
class Gatekeeper {
  constructor() {
    this.seen = new Set()
    this.refuses = false
    this.repeated = 0
    this.server = createServer((incoming, response) => this.serve(incoming, response))
  }

  async listen() {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `http://127.0.0.1:${this.server.address().port}`
    return this
  }

  serve(incoming, response) {
    const headers = { ...incoming.headers }
    let shown = ''
    for (const [name, value] of Object.entries(headers))
      for (const [secret, key] of Object.entries(KEYS)) {
        if (!value.includes(key)) continue
        this.seen.add(secret)
        shown = value
        headers[name] = value.replace(key, 'sim-key')
      }
    if (this.refuses) {
      incoming.resume()
      this.repeated += shown !== ''
      const message = `Incorrect API key provided: ${shown}.`
      response.writeHead(401, { 'Content-Type': 'application/json', 'X-Key': shown })
      response.end(JSON.stringify({ error: { message, code: 'invalid_api_key' }, message }))
      return
    }
    const { method, url: path } = incoming
    const onward = ask(this.simulator + path, { method, headers }, answer => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    incoming.pipe(onward)
  }
}

const DOCUMENT = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1000' },
    rate: { per_second: 10000, burst: 10000 },
  },
}

// Everything that a client or an operator is answered.
class Talk {
  constructor(world, twin) {
    Object.assign(this, { world, twin, said: [] })
  }

  async turn(body) {
    const answer = await this.world.turn(this.twin, body)
    this.said.push([...answer.headers], answer.body)
    return answer
  }

  async session(mode, turns, options = {}) {
    const session = this.world.session(this.twin, { mode, ...options })
    await session.started()
    for (let i = 1; i <= turns; i++) session.turn(i, '[tokens:3] hi')
    const ends = ({ type }) => type === 'turn.done' || type === 'turn.refused'
    await until(() => session.frames.filter(ends).length === turns, `${turns} turns`)
    this.said.push(session.frames.slice(), await session.end(), session.frames)
  }

  async admin(path) {
    const answer = await this.world.admin('GET', path)
    this.said.push(answer.body)
  }
}

async function load(talk, issuer) {
  await Promise.all([talk.session('text', 8), talk.session('voice', 4), talk.session('video', 2)])
  for (let i = 0; i < 20; i++) await talk.turn({ text: 'hi' })
  await talk.turn({ text: '[tokens:3] hi', mode: 'voice' })
  await talk.session('text', 1, { key: issuer })
}

async function lookAround(talk) {
  for (const path of ['/metrics', '/healthz', '/readyz', '/api/runtime', '/api/runtime/trace'])
    await talk.admin(path)
  for (const part of ['', '/secrets', '/keys', '/audit', '/balance', '/sessions'])
    await talk.admin(`/api/tenants/${talk.twin.id}${part}`)
}

// What a program of the same user gets who attaches to a process, and who opens its memory.
async function intrude(pid) {
  const program = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
try:
    open("/proc/${pid}/mem", "rb")
    print("opened")
except OSError as error:
    print(error.errno)
if libc.ptrace(16, ${pid}, 0, 0) == 0:
    libc.waitpid(${pid}, None, 0x40000000)
    libc.ptrace(17, ${pid}, 0, 0)
    print("attached")
else:
    print(ctypes.get_errno())`
  const [command, ...args] = [...BARE, 'python3', '-c', program]
  const { stdout, stderr } = await run(command, args)
  assert.equal(stderr, '')
  return stdout.trim().split('\n')
}

// Whether the system writes a core of a process that may have one, and where we would see it.
async function coresComeTo(directory) {
  const args = ['-c', 'ulimit -c unlimited 2>/dev/null; kill -SEGV $$']
  const child = spawn('sh', args, { cwd: directory, stdio: 'ignore' })
  await once(child, 'exit')
  return (await readdir(directory)).some(name => name.startsWith('core'))
}

// Nothing that its own user can do gets at its memory.
async function refusesToBeRead(world) {
  const { pid } = world.gateway
  const [file, ...words] = [...BARE, 'sleep', '60']
  const other = spawn(file, words)
  await sleep(100) // to have become it
  const scope = await readFile('/proc/sys/kernel/yama/ptrace_scope', 'utf8').catch(() => '0')
  if (scope.trim() === '0') assert.deepEqual(await intrude(other.pid), ['opened', 'attached'])
  other.kill('SIGKILL')
  const [opened, attached] = await intrude(pid)
  assert.match(opened, /^(1|13)$/, 'EPERM or EACCES')
  assert.equal(attached, '1', 'EPERM')
  const environment = await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0))
  assert.ok(!environment.includes('of-the-environment'))
}

// With this a gateway cannot lower its limit of cores; sanitizers' builds do not have it.
const letCore = join(bin, 'liblet_core.so')
const UNLIMITED = [
  'sh',
  '-c',
  `ulimit -c \`ulimit -H -c\`; export LD_PRELOAD=${letCore}; exec "$0" "$@"`,
]

// Ends it as a bug would, in a way that leaves a core.
async function wantACore(world, signal) {
  await world.gateway.stop(signal)
  assert.equal(world.gateway.process.signalCode, signal)
  await world.startGateway()
  const cores = (await filesOf(world.directory)).filter(file => /\/core[^/]*$/.test(file))
  assert.deepEqual(cores, [], 'there is a core')
}

async function dump(world, cluster) {
  if (cluster === undefined) {
    const { code, stdout, stderr } = await run('sqlite3', ['var/twin.db', '.dump'], {
      cwd: world.directory,
    })
    assert.equal(code, 0, stderr)
    return stdout
  }
  cluster.query('CHECKPOINT')
  return cluster.run('pg_dump', '-h', cluster.directory, '-U', 'postgres', 'twin')
}

for (const [store, signal, unlimited] of [
  ['sqlite', 'SIGABRT', false],
  // a sanitizer takes the other signal for its own
  ['postgres', existsSync(letCore) ? 'SIGSEGV' : 'SIGABRT', existsSync(letCore)],
])
  test(`secrets are in no memory, log, answer, metric, row, file or core: ${store}`, async () => {
    const vendor = await new Gatekeeper().listen()
    const issuer = new Issuer()
    issuer.addKey('one')
    await issuer.listen()
    const cluster = store === 'postgres' ? await Cluster.start() : undefined
    if (cluster !== undefined) await chmod(cluster.directory, 0o755) // for one without rights
    const world = await World.start({
      under: unlimited ? [...BARE, ...UNLIMITED] : BARE,
      env: {
        ...issuer.env(),
        ...(cluster === undefined ? {} : { TWIN_STORE: cluster.uri }),
        TWIN_LOG: 'debug',
        TWIN_ADMIN_TOKEN: OPERATOR,
        TWIN_SECRET_OTHER_OPENAI_API_KEY: 'sk-of-the-environment-93ab66',
        TWIN_VENDOR_BASE_OPENAI: `${vendor.url}/openai/v1`,
        TWIN_VENDOR_BASE_CARTESIA: `${vendor.url}/cartesia`,
        TWIN_VENDOR_BASE_TAVUS: `${vendor.url}/tavus`,
      },
    })
    vendor.simulator = world.simulator.url
    let log = ''
    const listen = () => world.gateway.process.stderr.on('data', data => (log += data))
    listen()
    try {
      const twin = await world.twin('canary', DOCUMENT)
      const talk = new Talk(world, twin)
      for (const [name, value] of Object.entries(KEYS)) {
        const path = `/api/tenants/${twin.id}/secrets/${name}`
        const put = await world.admin('PUT', path, { value })
        assert.equal(put.status, 201, JSON.stringify(put.body))
        talk.said.push(put.body)
      }
      const token = issuer.token('one', twin.id)
      await load(talk, token)
      assert.deepEqual([...vendor.seen].sort(), Object.keys(KEYS).sort(), 'each was used')
      vendor.refuses = true
      assert.equal((await talk.turn({ text: 'hi' })).status, 502)
      await talk.session('text', 3)
      await talk.session('video', 1)
      assert.ok(vendor.repeated >= 5, `${vendor.repeated} answers with the key in them`)
      await lookAround(talk)

      const master = join(world.directory, 'var/master.key')
      const secrets = { ...KEYS, other: 'sk-of-the-environment-93ab66', operator: OPERATOR }
      Object.assign(secrets, { token, 'API key': twin.key, 'master key': await readFile(master) })
      const canaries = new Canaries(secrets)
      assert.deepEqual(canaries.in(`x${OPERATOR}`), ['operator'], 'the search finds what is there')
      if (isRoot) {
        const memory = new Canaries({ 'what must be there': 'tenant_id' })
        assert.ok((await memory.inMemory(world.gateway.pid)).length > 0)
        const found = await new Canaries(KEYS).inMemory(world.gateway.pid)
        assert.deepEqual(found, [], 'in Lua heaps, buffers, libcurl')
      }
      await refusesToBeRead(world)
      const limits = await readFile(`/proc/${world.gateway.pid}/limits`, 'utf8')
      assert.match(limits, unlimited ? /Max core file size +[^0 ]/ : /Max core file size +0 +0 /)
      await wantACore(world, signal)
      listen()
      vendor.refuses = false
      assert.equal((await talk.turn({ text: 'hi' })).status, 200, 'and it still opens its secret')
      await lookAround(talk)

      assert.deepEqual(canaries.in(JSON.stringify(talk.said)), [], 'an answer has it')
      assert.deepEqual(canaries.in(await dump(world, cluster)), [], 'a row has it')
      assert.deepEqual(await canaries.inFiles(world.directory, [master]), [])
      if (cluster !== undefined) assert.deepEqual(await canaries.inFiles(cluster.directory), [])
      assert.match(log, /vendor\.failed[^]*flight crashed/, 'the log is the whole story')
      assert.deepEqual(canaries.in(log), [], 'the log has it')
    } finally {
      vendor.server.closeAllConnections()
      vendor.server.close()
      issuer.close()
      await world.stop().finally(() => cluster?.stop())
    }
  })

test('a process that may have a core leaves one, where they are files', async t => {
  const pattern = (await readFile('/proc/sys/kernel/core_pattern', 'utf8')).trim()
  const { stdout } = await run('sh', ['-c', 'ulimit -c unlimited 2>/dev/null; ulimit -c'])
  if (/[|/]/.test(pattern) || stdout.trim() !== 'unlimited') {
    t.skip(`core_pattern ${pattern}, limit ${stdout.trim()}`)
    return
  }
  const directory = await mkdtemp(join(tmpdir(), 'twin-core-'))
  assert.ok(await coresComeTo(directory), 'the test above would have seen one')
  await rm(directory, { recursive: true })
})

// A gateway and its vendor simulator as real processes on free ports, with a store of their own in
// a new directory; and what tests ask of them. Everything that is started is stopped by its
// process id.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'
import { decode, encode } from '@msgpack/msgpack'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const bin = process.env.BIN_DIR ?? join(root, 'build/release/bin')
const PATIENCE_MS = 30000

export function sleep(ms) {
  return new Promise(resolve => setTimeout(resolve, ms))
}

// Waits until `check()` is true, looking again every few milliseconds.
export async function until(check, what, patienceMs = PATIENCE_MS) {
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(10)) {
    const result = await check()
    if (result) return result
  }
  throw new Error(`waited ${patienceMs} ms for ${what}`)
}

// A server process. `url` is what it said it listens on.
class Server {
  constructor(program, args, options) {
    this.stderr = ''
    const { under = [], ...rest } = options ?? {}
    const [file, ...words] = [...under, join(bin, program), ...args]
    this.process = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'], ...rest })
    this.exited = once(this.process, 'exit')
    this.process.stderr.on('data', data => {
      this.stderr = (this.stderr + data).slice(-65536)
    })
  }

  get pid() {
    return this.process.pid
  }

  async listening() {
    const lines = createInterface({ input: this.process.stdout })
    const line = await Promise.race([once(lines, 'line').then(([text]) => text), this.exited])
    const url = /https?:\/\/\S+/.exec(line)
    if (url === null) throw new Error(`it ended with ${line}:\n${this.stderr}`)
    this.url = url[0]
    return this
  }

  async stop(signal = 'SIGTERM') {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill(signal)
    }
    const [code] = await this.exited
    return code
  }
}

// Runs a command to its end: { code, stdout, stderr }.
export async function run(program, args, { env = {}, input = '', cwd = root } = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env } })
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', data => {
    out.stdout += data
  })
  child.stderr.on('data', data => {
    out.stderr += data
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, ...out }
}

// A WebSocket session by the npm package ws. Frames are kept as they come.
export class Session {
  // With a ticket it is as a browser's: no header.
  constructor(url, key, { mode, ticket, format = 'json', protocols, headers } = {}) {
    const wanted = Object.entries({ mode, ticket }).filter(([, value]) => value !== undefined)
    const query = wanted.length === 0 ? '' : `?${new URLSearchParams(wanted)}`
    this.format = format
    this.frames = []
    const credential = ticket === undefined ? { Authorization: `Bearer ${key}` } : {}
    this.socket = new WebSocket(url + query, protocols ?? [`twin.v1.${format}`], {
      headers: { ...credential, ...headers },
      perMessageDeflate: false,
    })
    this.closed = once(this.socket, 'close').then(([code, reason]) => ({
      code,
      reason: `${reason}`,
    }))
    this.closed.catch(() => {}) // a socket that never opened: started() says so
    this.socket.on('message', (data, isBinary) => {
      this.frames.push(isBinary ? decode(data) : JSON.parse(data))
    })
    this.socket.on('error', () => {})
  }

  // Resolves when the socket is open and session.started has come.
  async started() {
    await once(this.socket, 'open')
    return this.frame('session.started')
  }

  // The first frame of that type, and of that turn, among those not yet asked for.
  async frame(type, id, patienceMs = PATIENCE_MS) {
    const wanted = frame => frame.type === type && (id === undefined || frame.id === id)
    const gone = { is: false }
    const note = () => {
      gone.is = true
    }
    this.closed.then(note, note)
    await until(() => this.frames.some(wanted) || gone.is, `${type} ${id ?? ''}`, patienceMs)
    const at = this.frames.findIndex(wanted)
    if (at < 0) {
      throw new Error(`closed before ${type}: ${JSON.stringify(this.frames.slice(-5))}`)
    }
    return this.frames.splice(at, 1)[0]
  }

  send(frame) {
    this.socket.send(this.format === 'msgpack' ? encode(frame) : JSON.stringify(frame))
  }

  sendRaw(data, options) {
    this.socket.send(data, options)
  }

  turn(id, text) {
    this.send({ type: 'turn', id, text })
  }

  // Ends the session and resolves with session.ended.
  async end() {
    this.send({ type: 'end' })
    const ended = await this.frame('session.ended')
    await this.closed
    return ended
  }
}

export class World {
  // options: simulator: arguments of twin-vendor-sim; env: of the gateway; program: instead of it;
  // under: a command that becomes the gateway, with its arguments
  static async start(options = {}) {
    const world = new World()
    world.options = options
    world.directory = await mkdtemp(join(tmpdir(), 'twin-'))
    world.simulator = await World.startSimulator(['--port', '0', ...(options.simulator ?? [])])
    try {
      await world.startGateway()
    } catch (error) {
      await world.simulator.stop()
      throw error
    }
    return world
  }

  static startSimulator(args) {
    return new Server('twin-vendor-sim', ['--token-ms', '1', ...args]).listening()
  }

  async startGateway() {
    const sim = this.simulator.url
    this.environment = {
      ...process.env,
      TWIN_LISTEN: '127.0.0.1:0',
      TWIN_POLICY_DIR: join(root, 'policies'),
      TWIN_VENDOR_BASE_OPENAI: `${sim}/openai/v1`,
      TWIN_VENDOR_BASE_CARTESIA: `${sim}/cartesia`,
      TWIN_VENDOR_BASE_TAVUS: `${sim}/tavus`,
      TWIN_ADMIN_TOKEN: 'an-operators-token-for-tests',
      ...(this.options.env ?? {}),
    }
    this.gateway = await new Server(this.options.program ?? 'twin-gateway', ['serve', '--dev'], {
      cwd: this.directory,
      env: this.environment,
      under: this.options.under,
    }).listening()
  }

  // As a crash does: no farewell, and then the next life over the same store.
  async crashAndRestart() {
    await this.gateway.stop('SIGKILL')
    await this.startGateway()
  }

  async stop() {
    const code = await this.gateway.stop()
    await this.simulator.stop()
    await rm(this.directory, { recursive: true, force: true })
    if (code !== 0) throw new Error(`the gateway ended with ${code}:\n${this.gateway.stderr}`)
  }

  // The operators' API. Resolves with { status, headers, body }.
  async admin(method, path, body) {
    return this.request(method, path, { key: this.environment.TWIN_ADMIN_TOKEN, body })
  }

  async request(method, path, { key, body, headers = {} } = {}) {
    const answer = await fetch(this.gateway.url + path, {
      method,
      headers: {
        ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await answer.text()
    const isJson = /[/+]json/.test(answer.headers.get('content-type') ?? '')
    return {
      status: answer.status,
      headers: answer.headers,
      body: isJson ? JSON.parse(text) : text,
    }
  }

  // A twin and a key of it: { id, key }.
  async twin(id, document = {}) {
    const put = await this.admin('PUT', `/api/tenants/${id}`, document)
    if (put.status !== 201 && put.status !== 200) throw new Error(JSON.stringify(put.body))
    const made = await this.admin('POST', `/api/tenants/${id}/keys`)
    return { id, key: made.body.key, keyId: made.body.id }
  }

  turn(twin, body = { text: 'hello' }, options = {}) {
    return this.request('POST', `/v1/twins/${twin.id}/turns`, { key: twin.key, body, ...options })
  }

  session(twin, options) {
    const url = this.gateway.url.replace('http', 'ws') + `/v1/twins/${twin.id}/session`
    return new Session(url, options?.key ?? twin.key, options)
  }

  async audit(twin, event) {
    const { body } = await this.admin('GET', `/api/tenants/${twin.id}/audit?limit=1000`)
    return body.entries.filter(entry => event === undefined || entry.event === event)
  }

  async balance(twin) {
    return (await this.admin('GET', `/api/tenants/${twin.id}/balance`)).body
  }

  // The simulator's own: what was called, what it would charge, what shall go wrong.
  // The value of one line of /metrics, such as twin_turns_total{action="pass",reason=""}.
  async metric(name) {
    const { body } = await this.request('GET', '/metrics')
    const line = body.split('\n').find(text => text.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1))
  }

  async vendor(path, body) {
    const answer = await fetch(
      this.simulator.url + path,
      body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) },
    )
    return answer.json()
  }

  async calls(vendor) {
    const { total, by_vendor: byVendor } = await this.vendor('/_calls')
    return vendor === undefined ? total : (byVendor[vendor] ?? 0)
  }

  // Lets `kind` happen to the next `count` requests of a vendor.
  fault(vendor, kind, count = 1) {
    return this.vendor('/_fault', { vendor, kind, count })
  }
}

// Each leg of the trail against the vendor's bill: the same legs, the same amounts. `interactionUsd`
// is the tenant's own price of a turn, which no vendor charges.
export async function compareWithBill(assert, world, twin, interactionUsd = '0') {
  const { legs } = await world.vendor('/_bill')
  const nusd = text => {
    const [whole, part = ''] = text.split('.')
    return BigInt(whole) * 1000000000n + BigInt(part.padEnd(9, '0'))
  }
  for (const entry of await world.audit(twin, 'BILLING_EVENT')) {
    const vendors = legs[entry.id]?.usd ?? '0'
    const own = BigInt(entry.units.interactions ?? 0) * nusd(interactionUsd)
    assert.equal(
      nusd(entry.cost_amount),
      nusd(vendors) + own,
      `${entry.provider_id} ${entry.id}: ${JSON.stringify(entry)} against ${vendors}`,
    )
  }
}

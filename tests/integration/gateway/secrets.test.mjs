// The vault, as an operator and a tenant's vendor see it: what was put is used from the next leg
// on, by its own adapter; keys are replaced under load and through crashes; and a value is found
// nowhere it was not sent to.
import assert from 'node:assert/strict'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { World, bin, run, sleep, until } from '../harness.mjs'
import { Vendor } from '../key_vendor.mjs'

const RICH = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1000' },
    rate: { per_second: 10000, burst: 10000 },
  },
}

let vendor, world, a, b
before(async () => {
  vendor = await new Vendor().listen()
  world = await World.start({
    env: {
      TWIN_VENDOR_BASE_OPENAI: vendor.url,
      TWIN_SECRET_TENANT_B_OPENAI_API_KEY: 'sk-of-the-environment',
    },
  })
  a = await world.twin('tenant-a', RICH)
  b = await world.twin('tenant-b', RICH)
})
after(async () => {
  await world.stop()
  vendor.server.close()
})

const path = (twin, name = '') => `/api/tenants/${twin.id}/secrets${name && `/${name}`}`
const put = (twin, value, name = 'openai.api_key') =>
  world.admin('PUT', path(twin, name), { value })

// The log is written by a thread of its own.
const logged = line => until(() => line.test(world.gateway.stderr), `${line} in the log`)

// The key that the vendor is shown in one turn.
async function keyOfTurn(twin) {
  const before = vendor.keys.length
  const answer = await world.turn(twin)
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return vendor.keys[before]
}

test('a secret counts from the next leg on, and its value is never shown', async () => {
  assert.equal(await keyOfTurn(a), 'Bearer sim-key')
  const made = await put(a, 'sk-one')
  assert.equal(made.status, 201)
  assert.deepEqual(made.body, { name: 'openai.api_key', version: 1, providers: ['openai'] })
  assert.equal(await keyOfTurn(a), 'Bearer sk-one')
  const session = world.session(a)
  await session.started()
  session.turn(1, 'hi')
  await session.frame('turn.done', 1)
  const next = await put(a, 'sk-two')
  assert.equal(next.status, 200)
  assert.equal(next.body.version, 2)
  session.turn(2, 'hi')
  await session.frame('turn.done', 2)
  assert.equal(vendor.keys.at(-1), 'Bearer sk-two')
  await session.end()
  const list = await world.admin('GET', path(a))
  assert.equal(list.body.secrets.length, 1)
  assert.equal(list.body.secrets[0].version, 2)
  assert.ok(!JSON.stringify(list.body).includes('sk-'))
  const one = await world.admin('GET', path(a, 'openai.api_key'))
  assert.equal(one.body.name, 'openai.api_key')
  assert.equal((await world.admin('GET', path(a, 'none'))).status, 404)
})

test('the vault counts more than the environment, until the secret is removed', async () => {
  assert.equal(await keyOfTurn(b), 'Bearer sk-of-the-environment')
  await put(b, 'sk-of-the-vault')
  assert.equal(await keyOfTurn(b), 'Bearer sk-of-the-vault')
  assert.equal((await world.admin('DELETE', path(b, 'openai.api_key'))).status, 200)
  assert.equal((await world.admin('DELETE', path(b, 'openai.api_key'))).status, 404)
  assert.equal(await keyOfTurn(b), 'Bearer sk-of-the-environment')
})

test("another adapter's secret is not given", async () => {
  const twin = await world.twin('scoped', RICH)
  const body = { value: 'sk-for-tavus', providers: ['tavus'] }
  assert.equal((await world.admin('PUT', path(twin, 'openai.api_key'), body)).status, 201)
  const before = vendor.keys.length
  assert.equal((await world.turn(twin)).status, 502)
  assert.equal(vendor.keys.length, before, 'nobody was called')
  await logged(/secret\.refused .*reason="other_provider"/)
})

test('a variable that may be of two tenants is refused while both are there', async () => {
  const twin = await world.twin('tenant', RICH)
  const before = vendor.keys.length
  assert.equal((await world.turn(b)).status, 502)
  assert.equal(vendor.keys.length, before)
  await logged(/reason="ambiguous_variable"/)
  await world.admin('DELETE', `/api/tenants/${twin.id}`)
  assert.equal(await keyOfTurn(b), 'Bearer sk-of-the-environment')
})

test('bad input is one clear problem, and repeats no value', async () => {
  const cases = [
    ['openai.api_key', { value: '' }, 400],
    ['openai.api_key', { value: 'x'.repeat(4097) }, 400],
    ['openai.api_key', { value: 'sk-canary\n' }, 400],
    ['openai.api_key', { value: 7 }, 400],
    ['openai.api_key', { valeu: 'sk-canary' }, 400],
    ['openai.api_key', 'sk-canary', 400],
    ['openai.api_key', { value: 'sk-canary', providers: 'openai' }, 400],
    ['openai.api_key', { value: 'sk-canary', providers: [] }, 400],
    ['openai.api_key', { value: 'sk-canary', providers: ['a,b'] }, 400],
    ['nodot', { value: 'sk-canary' }, 400],
    ['UPPER', { value: 'sk-canary' }, 400],
    ['x'.repeat(64), { value: 'sk-canary' }, 400],
  ]
  for (const [name, body, status] of cases) {
    const answer = await world.admin('PUT', path(a, name), body)
    assert.equal(answer.status, status, `${name} ${JSON.stringify(body)}`)
    assert.ok(!JSON.stringify(answer.body).includes('sk-canary'), name)
    assert.ok(answer.body.reason)
  }
  const nobody = await world.admin('PUT', '/api/tenants/nobody/secrets/openai.api_key', {
    value: 'v',
  })
  assert.equal(nobody.status, 404)
  assert.equal((await world.request('GET', path(a), { key: a.key })).status, 403)
  assert.equal((await world.request('POST', '/api/vault/rotate', { key: a.key })).status, 403)
})

test('the command reads the value from stdin, and changes are in the records', async () => {
  const env = { TWIN_URL: world.gateway.url, TWIN_ADMIN_TOKEN: world.environment.TWIN_ADMIN_TOKEN }
  const gateway = (args, input) => run(join(bin, 'twin-gateway'), args, { env, input })
  const twin = await world.twin('shell', RICH)
  const made = await gateway(['secret', 'put', 'shell', 'openai.api_key'], 'sk-shell\n')
  assert.equal(made.code, 0, made.stderr)
  assert.equal(await keyOfTurn(twin), 'Bearer sk-shell')
  const shared = await gateway(['secret', 'put', 'shell', 'shared', 'openai,tavus'], 'v')
  assert.equal(shared.code, 0, shared.stderr)
  assert.match((await gateway(['secret', 'list', 'shell'])).stdout, /"shared"/)
  assert.equal((await gateway(['secret', 'rotate', 'shell'])).code, 0)
  assert.equal(await keyOfTurn(twin), 'Bearer sk-shell')
  assert.equal((await gateway(['secret', 'remove', 'shell', 'shared'])).code, 0)
  const empty = await gateway(['secret', 'put', 'shell', 'openai.api_key'], '')
  assert.equal(empty.code, 1)
  const events = (await world.audit(twin)).map(entry => entry.event)
  for (const event of ['SECRET_PUT', 'TENANT_KEY_ROTATED', 'SECRET_REMOVED'])
    assert.ok(events.includes(event), `${event} in ${events}`)
})

// Turns of both twins until told to stop; each must show its own key.
function load(failures) {
  const state = { stop: false, turns: 0 }
  const one = async (twin, key) => {
    while (!state.stop) {
      const answer = await world.turn(twin).catch(() => ({ status: 0 }))
      if (answer.status === 200) state.turns++
      else if (answer.status !== 0) failures.push(`${twin.id} ${answer.status} ${key}`)
    }
  }
  state.done = Promise.all([one(a, 'sk-a'), one(b, 'sk-b')])
  return state
}

const exists = file =>
  access(file).then(
    () => true,
    () => false,
  )

test('keys are replaced under load, and no turn fails', async () => {
  await put(a, 'sk-a')
  await put(b, 'sk-b')
  const master = join(world.directory, 'var/master.key')
  const old = await readFile(master)
  const failures = []
  const turns = load(failures)
  for (let i = 0; i < 5; i++) {
    assert.equal((await world.admin('POST', path(a, 'rotate'))).status, 200)
    const rotated = await world.admin('POST', '/api/vault/rotate')
    assert.equal(rotated.status, 200, JSON.stringify(rotated.body))
    assert.ok(rotated.body.rotated > 2)
  }
  turns.stop = true
  await turns.done
  assert.deepEqual(failures, [])
  assert.ok(turns.turns > 0)
  assert.notDeepEqual(await readFile(master), old)
  assert.equal(await exists(`${master}.next`), false)
  assert.equal(await keyOfTurn(a), 'Bearer sk-a')
  await world.crashAndRestart()
  assert.equal(await keyOfTurn(a), 'Bearer sk-a', 'the new master key and the same API keys')
})

test('a gateway that is killed while keys are replaced has all secrets when it is back', async () => {
  for (let i = 0; i < 60; i++) {
    const twin = { id: `many-${i}` }
    await world.admin('PUT', `/api/tenants/${twin.id}`, RICH)
    await put(twin, `sk-many-${i}`)
  }
  const master = join(world.directory, 'var/master.key')
  for (let round = 0; round < 8; round++) {
    world.admin('POST', path(a, 'rotate')).catch(() => {})
    world.admin('POST', '/api/vault/rotate').catch(() => {})
    await sleep(round * 2)
    await world.crashAndRestart()
    assert.equal(await keyOfTurn(a), 'Bearer sk-a')
    assert.equal(await keyOfTurn(b), 'Bearer sk-b')
    await until(async () => !(await exists(`${master}.next`)), 'the rest of it')
    const { body } = await world.admin('GET', path({ id: 'many-59' }))
    assert.equal(body.secrets[0].problem, undefined)
  }
})

test('a next master key that lies ready is put in force at the start', async () => {
  const master = join(world.directory, 'var/master.key')
  const next = Buffer.alloc(32, 5)
  await world.gateway.stop('SIGKILL')
  await writeFile(`${master}.next`, next, { mode: 0o600 })
  await world.startGateway()
  assert.equal(await keyOfTurn(a), 'Bearer sk-a')
  await until(async () => !(await exists(`${master}.next`)), 'the replacement')
  assert.deepEqual(await readFile(master), next)
  await world.crashAndRestart()
  assert.equal(await keyOfTurn(a), 'Bearer sk-a')
})

test('a wrong master key is refused by name, and so is one that others can read', async () => {
  const wrong = join(world.directory, 'wrong.key')
  await writeFile(wrong, Buffer.alloc(32, 9), { mode: 0o600 })
  await world.gateway.stop()
  const refused = await run(join(bin, 'twin-gateway'), ['serve'], {
    env: { ...world.environment, TWIN_MASTER_KEY_FILE: wrong },
    cwd: world.directory,
  })
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /sealed with the master key [0-9a-f]{16}, and .*wrong\.key has/)
  await world.startGateway()
  assert.equal(await keyOfTurn(a), 'Bearer sk-a')
})

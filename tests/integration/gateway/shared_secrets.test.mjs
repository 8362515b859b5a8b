// Several gateways on one PostgreSQL: a secret, a key or a tenant that is changed at one of them is
// changed at all, and nobody comes in with what was taken away or used elsewhere.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { addGateway, startShared, stopShared } from '../cluster.mjs'
import { until } from '../harness.mjs'
import { Vendor } from '../key_vendor.mjs'

const RICH = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1000' },
    rate: { per_second: 10000, burst: 10000 },
  },
}

let vendor, world, other
before(async () => {
  vendor = await new Vendor().listen()
  world = await startShared({ env: { TWIN_VENDOR_BASE_OPENAI: vendor.url, TWIN_NODE: 'first' } })
  other = await addGateway(world, { TWIN_NODE: 'second' })
})
after(async () => {
  await stopShared(world)
  vendor.server.close()
})

const path = (twin, name = '') => `/api/tenants/${twin.id}/secrets${name && `/${name}`}`
const put = (node, twin, value) =>
  node.admin('PUT', path(twin, 'openai.api_key'), { value, providers: ['openai'] })

// Until a gateway shows the vendor that key.
const shows = (node, twin, key) =>
  until(async () => {
    const before = vendor.keys.length
    const { status } = await node.turn(twin)
    return status === 200 && vendor.keys[before] === `Bearer ${key}`
  }, `${key} to be used`)

test('a secret that is put, replaced and removed at one gateway is so at the others', async () => {
  const twin = await world.twin('told', RICH)
  await shows(other, twin, 'sim-key')
  assert.equal((await put(world, twin, 'sk-one')).status, 201)
  await shows(other, twin, 'sk-one')
  const { body } = await put(other, twin, 'sk-two')
  assert.equal(body.version, 2)
  await shows(world, twin, 'sk-two')
  assert.equal((await world.admin('DELETE', path(twin, 'openai.api_key'))).status, 200)
  await shows(other, twin, 'sim-key')
  assert.deepEqual((await other.admin('GET', path(twin))).body.secrets, [])
})

test('a tenant that is made at one gateway has secrets at the others, until it is gone', async () => {
  const twin = await world.twin('made', RICH)
  await until(
    async () => (await put(other, twin, 'sk-made')).status === 201,
    'the tenant to be known',
  )
  await shows(world, twin, 'sk-made')
  await world.admin('POST', `${path(twin)}/rotate`)
  await shows(other, twin, 'sk-made')
  await other.admin('DELETE', '/api/tenants/made')
  await until(async () => (await world.admin('GET', path(twin))).status === 404, 'it to be gone')
})

test('what was changed while a gateway heard nothing it reads when it is back', async () => {
  const twin = await world.twin('deaf', RICH)
  await put(world, twin, 'sk-one')
  await shows(other, twin, 'sk-one')
  process.kill(other.gateway.pid, 'SIGSTOP')
  try {
    world.cluster.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = 'twin' AND pid <> pg_backend_pid()`,
    )
    await until(async () => (await put(world, twin, 'sk-two')).status === 200, 'the database')
  } finally {
    process.kill(other.gateway.pid, 'SIGCONT')
  }
  await shows(other, twin, 'sk-two')
})

test('a change whose news were lost is known everywhere all the same', async () => {
  const twin = await world.twin('silent', RICH)
  await until(async () => (await other.turn(twin)).status === 200, 'the key everywhere')
  const session = other.session(twin, { mode: 'text' })
  await session.frame('session.started')
  // What a gateway writes with a change, without its NOTIFY.
  const change = sql =>
    world.cluster.query(`${sql}; UPDATE vito.changes SET version = version + 1 RETURNING version`)
  change(`UPDATE vito.tenants SET document = replace(document::text, '"1000.000000000"', '"0"')::json
    WHERE tenant_id = 'silent'`)
  for (const node of [world, other]) {
    await until(async () => (await node.turn(twin)).status === 402, 'the limit everywhere')
  }
  change(`DELETE FROM vito.api_keys WHERE tenant_id = 'silent'`)
  for (const node of [world, other]) {
    await until(async () => (await node.turn(twin)).status === 401, 'the end of the key')
  }
  assert.equal((await session.closed).code, 4401)
})

test('with a key that is removed go the sessions and tickets it got, at every gateway', async () => {
  const twin = await world.twin('revoked', RICH)
  await until(async () => (await other.turn(twin)).status === 200, 'the key everywhere')
  const session = other.session(twin, { mode: 'text' })
  await session.frame('session.started')
  const made = await other.request('POST', '/v1/twins/revoked/tickets', { key: twin.key })
  assert.equal(made.status, 201)
  await world.admin('DELETE', `/api/tenants/revoked/keys/${twin.keyId}`)
  assert.equal((await session.closed).code, 4401)
  assert.equal((await other.turn(twin)).status, 401)
  const late = other.session(twin, { mode: 'text', ticket: made.body.ticket })
  assert.equal((await late.closed).code, 4401)
})

test('a key that is replaced at one gateway is so at the others', async () => {
  const twin = await world.twin('replaced', RICH)
  const turn = async (node, key) => (await node.turn(twin, { text: 'hi' }, { key })).status
  await until(async () => (await turn(other, twin.key)) === 200, 'the key everywhere')
  const path = `/api/tenants/${twin.id}/keys/${twin.keyId}/rotate`
  const { body } = await world.admin('POST', path, { overlap_s: 1 })
  await until(async () => (await turn(other, body.key)) === 200, 'the new one everywhere')
  for (const node of [world, other]) {
    await until(async () => (await turn(node, twin.key)) === 401, 'the end of the old one')
  }
  assert.equal(await turn(other, body.key), 200)
})

async function ticketOf(node, twin) {
  const made = await node.request('POST', `/v1/twins/${twin.id}/tickets`, { key: twin.key })
  assert.equal(made.status, 201)
  return made.body.ticket
}

const browse = (node, twin, ticket) => node.session(twin, { mode: 'text', ticket })

test('a ticket that one gateway gave is good at another, and then at none', async () => {
  const twin = await world.twin('ticket', RICH)
  const ticket = await ticketOf(world, twin)
  const session = browse(other, twin, ticket)
  await session.frame('session.started')
  for (const node of [world, other]) {
    assert.equal((await browse(node, twin, ticket).closed).code, 4401)
  }
  await session.end()
})

test('of many who show a ticket at several gateways at once one comes in', async () => {
  const twin = await world.twin('raced', RICH)
  await until(async () => (await other.turn(twin)).status === 200, 'the key everywhere')
  for (let round = 0; round < 5; round++) {
    const ticket = await ticketOf(round % 2 ? world : other, twin)
    const closed = new Map()
    const sessions = Array.from({ length: 8 }, (_, i) =>
      browse(i % 2 ? world : other, twin, ticket),
    )
    for (const session of sessions) session.closed.then(({ code }) => closed.set(session, code))
    await until(() => closed.size === 7, 'seven to be refused')
    assert.deepEqual([...new Set(closed.values())], [4401])
    const winner = sessions.find(session => !closed.has(session))
    await winner.frame('session.started')
    await winner.end()
  }
})

test('without the store no ticket is given, and none lets anybody in', async () => {
  const twin = await world.twin('storeless', RICH)
  const ticket = await ticketOf(world, twin)
  await until(async () => (await other.turn(twin)).status === 200, 'the key everywhere')
  await world.cluster.stopServer()
  try {
    const asked = await world.request('POST', `/v1/twins/${twin.id}/tickets`, { key: twin.key })
    assert.equal(asked.status, 503)
    assert.equal(asked.body.reason, 'store_unavailable')
    const session = browse(other, twin, ticket)
    assert.equal((await session.closed).code, 1013)
    assert.equal(session.frames[0].problem.reason, 'store_unavailable')
  } finally {
    await world.cluster.startServer()
  }
  await until(async () => {
    const session = browse(other, twin, ticket)
    const first = await Promise.race([session.frame('session.started'), session.closed])
    return first.type === 'session.started'
  }, 'the ticket to be good again: it was not used')
  const path = `/api/tenants/${twin.id}/keys`
  await until(async () => (await world.admin('POST', path)).status === 201, 'the store elsewhere')
})

test('the master key is not replaced under the other gateways', async () => {
  const refused = await world.admin('POST', '/api/vault/rotate')
  assert.equal(refused.status, 409)
  assert.match(refused.body.detail, /docs\/vault\.md/)
})

test('with the others stopped one gateway replaces the master key, and they start with it', async () => {
  const twin = await world.twin('master', RICH)
  await put(world, twin, 'sk-kept')
  await other.gateway.stop()
  await world.gateway.stop()
  const file = join(world.directory, 'var/master.key')
  const old = await readFile(file)
  await writeFile(`${file}.next`, Buffer.alloc(32, 7), { mode: 0o600 })
  await world.startGateway()
  await until(async () => !(await readFile(file)).equals(old), 'the new key')
  await shows(world, twin, 'sk-kept')
  await other.startGateway() // its file is the same here
  await shows(other, twin, 'sk-kept')
})

// EV-02: a credential opens its own twin and nothing else.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

let world, a, b
before(async () => {
  world = await World.start()
  a = await world.twin('tenant-a')
  b = await world.twin('tenant-b')
})
after(() => world.stop())

// What the server answers to an upgrade it refuses: { status, body }.
async function refusedUpgrade(twin, key) {
  const session = world.session(twin, { key })
  const [request, answer] = await once(session.socket, 'unexpected-response')
  const chunks = []
  for await (const chunk of answer) chunks.push(chunk)
  request.destroy()
  return { status: answer.statusCode, body: JSON.parse(Buffer.concat(chunks)) }
}

test("another twin's key is forbidden, over HTTP and WebSocket, calls nobody, and is recorded", async () => {
  const calls = await world.calls()
  const answer = await world.turn(b, { text: 'hi' }, { key: a.key })
  assert.equal(answer.status, 403)
  assert.equal(answer.body.reason, 'forbidden_tenant')
  assert.equal((await world.audit(b, 'ACCESS_REFUSED')).length, 1)
  const upgrade = await refusedUpgrade(b, a.key)
  assert.equal(upgrade.status, 403)
  assert.equal(upgrade.body.reason, 'forbidden_tenant')
  assert.equal((await world.audit(b, 'ACCESS_REFUSED')).length, 2)
  assert.equal(await world.calls(), calls)
  assert.equal((await world.audit(b, 'BILLING_EVENT')).length, 0)
})

test('no credential and a wrong one are unauthorized', async () => {
  for (const key of [undefined, 'twk_nonsense', 'x'.repeat(5000)]) {
    const answer = await world.turn(b, { text: 'hi' }, { key })
    assert.equal(answer.status, 401, `key ${key?.slice(0, 20)}`)
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
  }
  assert.equal((await refusedUpgrade(b, 'twk_nonsense')).status, 401)
})

test('an avatar that is not there is not found by the operator, and forbidden to others', async () => {
  const gone = { id: 'nobody', key: a.key }
  assert.equal((await world.turn(gone)).status, 403)
  const operator = { id: 'nobody', key: world.environment.TWIN_ADMIN_TOKEN }
  assert.equal((await world.turn(operator)).status, 404)
})

test("a client's key opens no part of the operators' API", async () => {
  for (const path of [
    '/api/tenants',
    '/api/tenants/tenant-a',
    '/api/tenants/tenant-a/balance',
    '/api/tenants/tenant-a/audit',
    '/api/tenants/tenant-a/keys',
    '/api/decisions/dec_x',
    '/api/runtime',
    '/api/runtime/trace',
    '/api/runtime/why',
  ]) {
    assert.equal((await world.request('GET', path, { key: a.key })).status, 403, path)
    assert.equal((await world.request('GET', path)).status, 401, path)
  }
  const put = await world.request('PUT', '/api/tenants/tenant-a', { key: a.key, body: {} })
  assert.equal(put.status, 403)
})

test('a key that is removed opens nothing any more', async () => {
  const twin = await world.twin('short-lived')
  assert.equal((await world.turn(twin)).status, 200)
  const path = `/api/tenants/${twin.id}/keys/${twin.keyId}`
  assert.equal((await world.admin('DELETE', path)).status, 200)
  assert.equal((await world.turn(twin)).status, 401)
  assert.equal((await world.admin('DELETE', path)).status, 404)
})

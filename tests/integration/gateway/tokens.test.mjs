// Tokens by an issuer whose keys the gateway fetches: what they open, and for how long.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { World, until } from '../harness.mjs'
import { Issuer } from '../issuer.mjs'

const RICH = { policy_config: { limits: { monthly_hard_limit_usd: '100' } } }

let issuer, world, a, b
before(async () => {
  issuer = await new Issuer().listen()
  for (const alg of ['RS256', 'ES256', 'EdDSA']) issuer.addKey(alg.toLowerCase(), alg)
  world = await World.start({ env: issuer.env() })
  a = await world.twin('tenant-a', RICH)
  b = await world.twin('tenant-b')
})
after(async () => {
  await world.stop()
  issuer.close()
})

const seconds = () => Math.floor(Date.now() / 1000)
const turn = (twin, key) => world.turn(twin, { text: '[tokens:2] hi' }, { key })

test('a token of each algorithm takes a turn', async () => {
  for (const kid of ['rs256', 'es256', 'eddsa']) {
    const answer = await turn(a, issuer.token(kid, a.id))
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  }
})

test('a token opens a session, in which turns are taken', async () => {
  const session = world.session(a, { key: issuer.token('es256', a.id) })
  await session.started()
  session.turn(1, '[tokens:2] hi')
  await session.frame('turn.done', 1)
  await session.end()
})

test("a token of another twin is forbidden, calls nobody, and is in that twin's records", async () => {
  const calls = await world.calls()
  const answer = await turn(b, issuer.token('eddsa', a.id, { sub: 'mallory' }))
  assert.equal(answer.status, 403)
  assert.equal(answer.body.reason, 'forbidden_tenant')
  assert.equal(await world.calls(), calls)
  const refusals = await world.audit(b, 'ACCESS_REFUSED')
  assert.equal(refusals.length, 1)
  assert.equal(refusals[0].details.caller, 'mallory')
  assert.equal(refusals[0].details.caller_tenant_id, a.id)
})

test('a token that is not as it must be is unauthorized, and its bearer is told why', async () => {
  const good = issuer.token('eddsa', a.id)
  const [header, claims, signature] = good.split('.')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  const stranger = new Issuer()
  stranger.addKey('eddsa')
  const cases = [
    [`${none}.${claims}.`, /signed JWT/],
    [`${none}.${claims}.${signature}`, /RS256, ES256 or EdDSA/],
    [`${header}.${claims}.${signature.slice(0, -4)}`, /signature|base64url/],
    [`${header}.${Buffer.from('{}').toString('base64url')}.${signature}`, /signature/],
    [stranger.token('eddsa', a.id), /signature is wrong/],
    [issuer.token('eddsa', a.id, { exp: seconds() - 61 }), /has expired/],
    [issuer.token('eddsa', a.id, { exp: undefined }), /exp must be/],
    [issuer.token('eddsa', a.id, { nbf: seconds() + 120 }), /not valid yet/],
    [issuer.token('eddsa', a.id, { iss: 'https://other.test' }), /iss/],
    [issuer.token('eddsa', a.id, { aud: 'other' }), /aud/],
    [issuer.token('eddsa', undefined), /tenant_id/],
    [issuer.token('eddsa', '../tenant-a'), /tenant_id/],
    [issuer.token('eddsa', a.id, {}, { crit: ['exp'] }), /crit/],
    [issuer.token('eddsa', a.id, {}, { alg: 'RS256' }), /alg is not that of the key/],
    [issuer.token('eddsa', a.id, { pad: 'x'.repeat(8192) }), /8192 bytes/],
  ]
  for (const [token, why] of cases) {
    const answer = await turn(a, token)
    assert.equal(answer.status, 401, token)
    assert.match(answer.body.detail, why)
    assert.match(answer.headers.get('www-authenticate'), /^Bearer error="invalid_token"$/)
    assert.ok(!JSON.stringify(answer.body).includes(claims))
  }
})

test('a tenant-admin runs its own twin, and sees nothing of another', async () => {
  const key = issuer.token('rs256', a.id, { scope: 'openid tenant-admin' })
  const get = path => world.request('GET', path, { key })
  assert.equal((await get(`/api/tenants/${a.id}/balance`)).status, 200)
  assert.equal((await get(`/api/tenants/${a.id}/audit`)).status, 200)
  assert.equal((await get(`/api/tenants/${b.id}/balance`)).status, 403)
  assert.equal((await get('/api/tenants')).status, 403)
  const plain = issuer.token('rs256', a.id)
  const path = `/api/tenants/${a.id}/balance`
  assert.equal((await world.request('GET', path, { key: plain })).status, 403)
  assert.equal((await turn(a, key)).status, 200)
})

test("a tenant-admin ends its own sessions, and another twin's are not there", async () => {
  const session = world.session(b)
  const { session_id: id } = await session.started()
  const path = `/api/sessions/${id}/terminate`
  const foreign = issuer.token('eddsa', a.id, { scope: 'tenant-admin' })
  assert.equal((await world.request('POST', path, { key: foreign })).status, 404)
  const own = issuer.token('eddsa', b.id, { scope: 'tenant-admin' })
  assert.equal((await world.request('POST', path, { key: own })).status, 202)
  assert.equal((await session.frame('session.ended')).reason, 'OPERATOR')
})

test("a decision is explained to its twin's admin, and is not there for another's", async () => {
  const { body } = await turn(a, issuer.token('eddsa', a.id))
  const path = `/api/decisions/${body.decision.id}`
  const key = tenant => issuer.token('eddsa', tenant, { scope: 'tenant-admin' })
  assert.equal((await world.request('GET', path, { key: key(a.id) })).status, 200)
  assert.equal((await world.request('GET', path, { key: key(b.id) })).status, 404)
})

test('a session is warned of the end of its token, and then ends with 4401 and its bill', async () => {
  const session = world.session(a, { key: issuer.token('eddsa', a.id, { exp: seconds() + 4 }) })
  await session.started()
  session.turn(1, '[tokens:2] hi')
  await session.frame('turn.done', 1)
  const warning = await session.frame('error')
  assert.equal(warning.problem.reason, 'credential_expires')
  assert.equal(warning.fatal, false)
  const ended = await session.frame('session.ended')
  assert.equal(ended.reason, 'TIMEOUT')
  assert.equal(ended.bill.turns, 1)
  assert.equal((await session.closed).code, 4401)
})

test('a key the issuer adds is found, one he withdraws is not believed any more', async () => {
  issuer.addKey('next')
  const token = issuer.token('next', a.id)
  await until(async () => (await turn(a, token)).status === 200, 'the new key to be fetched')
  const fetches = issuer.fetches
  const stranger = new Issuer()
  stranger.addKey('nobody')
  for (let i = 0; i < 50; i++) {
    assert.equal((await turn(a, stranger.token('nobody', a.id))).status, 401)
  }
  assert.ok(issuer.fetches - fetches <= 4, `fifty tokens made ${issuer.fetches - fetches} fetches`)
  issuer.removeKey('next')
  process.kill(world.gateway.pid, 'SIGHUP')
  await until(async () => (await turn(a, token)).status === 401, 'the key to be forgotten')
})

test('an issuer who is not there leaves the keys there are, and new ones unknown', async () => {
  issuer.fails = true
  process.kill(world.gateway.pid, 'SIGHUP')
  const fetches = issuer.fetches
  await until(() => issuer.fetches > fetches, 'a fetch that fails')
  assert.equal((await turn(a, issuer.token('eddsa', a.id))).status, 200)
  issuer.fails = false
})

test('without any keys a token is answered with 503, an API key as ever', async () => {
  const gone = new Issuer()
  gone.addKey('k')
  const own = await World.start({ env: gone.env('http://127.0.0.1:1/jwks.json') })
  const twin = await own.twin('tenant-a')
  const answer = await own.turn(twin, { text: 'hi' }, { key: gone.token('k', twin.id) })
  assert.equal(answer.status, 503)
  assert.equal(answer.body.reason, 'keys_unavailable')
  assert.equal((await own.turn(twin)).status, 200)
  await own.stop()
})

test('keys in a file are read again on SIGHUP', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'twin-jwks-'))
  const file = join(directory, 'jwks.json')
  const local = new Issuer()
  local.addKey('one')
  await writeFile(file, local.jwks())
  const own = await World.start({ env: local.env(file) })
  const twin = await own.twin('tenant-a')
  const status = async token => (await own.turn(twin, { text: 'hi' }, { key: token })).status
  const first = local.token('one', twin.id)
  assert.equal(await status(first), 200)
  local.removeKey('one')
  local.addKey('two')
  await writeFile(file, local.jwks())
  process.kill(own.gateway.pid, 'SIGHUP')
  await until(async () => (await status(local.token('two', twin.id))) === 200, 'the new key')
  await until(async () => (await status(first)) === 401, 'the old key to be forgotten')
  await own.stop()
  await rm(directory, { recursive: true })
})

test('without an issuer a token is unauthorized', async () => {
  const own = await World.start()
  const twin = await own.twin('tenant-a')
  const answer = await own.turn(twin, { text: 'hi' }, { key: issuer.token('eddsa', twin.id) })
  assert.equal(answer.status, 401)
  assert.match(answer.body.detail, /TWIN_JWKS/)
  await own.stop()
})

test('an upgrade by a bad token is refused with 401', async () => {
  const session = world.session(a, { key: issuer.token('eddsa', a.id, { exp: 0 }) })
  const [request, answer] = await once(session.socket, 'unexpected-response')
  request.destroy()
  assert.equal(answer.statusCode, 401)
})

// The whole matrix: every endpoint of openapi.yaml, by every role, on its own twin and on another's.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'
import { World } from '../harness.mjs'
import { Issuer } from '../issuer.mjs'

// The least role, for endpoints that are not the operator's alone. What is not here must be closed
// to everybody else: an endpoint that is added begins that way.
const LEAST = {
  'POST /v1/twins/{}/turns': 'client',
  'GET /v1/twins/{}/session': 'client',
  'POST /v1/twins/{}/tickets': 'client',
  'PUT /api/tenants/{}': 'admin',
  'GET /api/tenants/{}': 'admin',
  'DELETE /api/tenants/{}': 'admin',
  'POST /api/tenants/{}/keys': 'admin',
  'GET /api/tenants/{}/keys': 'admin',
  'DELETE /api/tenants/{}/keys/{}': 'admin',
  'POST /api/tenants/{}/keys/{}/rotate': 'admin',
  'GET /api/tenants/{}/secrets': 'admin',
  'GET /api/tenants/{}/secrets/{}': 'admin',
  'PUT /api/tenants/{}/secrets/{}': 'admin',
  'DELETE /api/tenants/{}/secrets/{}': 'admin',
  'GET /api/tenants/{}/balance': 'admin',
  'POST /api/tenants/{}/refunds': 'admin',
  'GET /api/tenants/{}/audit': 'admin',
  'GET /api/tenants/{}/sessions': 'admin',
  'POST /api/sessions/{}/terminate': 'admin',
  'GET /api/decisions/{}': 'admin',
  'GET /healthz': 'nobody',
  'GET /readyz': 'nobody',
  'GET /metrics': 'nobody',
}
const NOT_THERE = ['GET /debug/echo'] // until TWIN_DEBUG_ECHO opens it
const RANK = { nobody: 0, client: 1, admin: 2, operator: 3 }
const OWN = 'tenant-a'
const OTHER = 'tenant-b'

// Method and path of each operation in the document: its layout is fixed, so no parser is needed.
async function endpoints() {
  const file = new URL('../../../schema/openapi.yaml', import.meta.url)
  const found = []
  let path
  for (const line of (await readFile(fileURLToPath(file), 'utf8')).split('\n')) {
    if (/^\S/.test(line) && line !== 'paths:') path = undefined
    path = /^ {2}(\/\S*):$/.exec(line)?.[1] ?? path
    const method = /^ {4}(get|put|post|delete|patch):$/.exec(line)?.[1]
    if (path !== undefined && method !== undefined) found.push([method.toUpperCase(), path])
  }
  return found
}

let issuer, world
before(async () => {
  issuer = await new Issuer().listen()
  issuer.addKey('k')
  world = await World.start({ env: { ...issuer.env(), TWIN_LOGIN_FAILURES: '0' } })
})
after(async () => {
  await world.stop()
  issuer.close()
})

const RICH = {
  policy_config: { limits: { monthly_hard_limit_usd: '1000' }, rate: { burst: 9999 } },
}

// Who there is: [name, role, the twin he belongs to, what he shows].
function callers(twins) {
  const of = (tenant, kind) => [
    [`${kind} key`, 'client', tenant, twins[tenant].key],
    [`${kind} token`, 'client', tenant, issuer.token('k', tenant)],
    [`${kind} admin`, 'admin', tenant, issuer.token('k', tenant, { scope: 'tenant-admin' })],
  ]
  return [
    ['no credential', 'nobody', undefined, undefined],
    ['a wrong key', 'nobody', undefined, 'twk_wrong'],
    ['a wrong token', 'nobody', undefined, issuer.token('k', OWN, { exp: 0 })],
    ...of(OWN, 'own'),
    ...of(OTHER, 'foreign'),
    ['the operator', 'operator', undefined, world.environment.TWIN_ADMIN_TOKEN],
  ]
}

// Status and reason of a request on the twin `OWN`.
async function ask(method, path, key, body) {
  if (!path.endsWith('/session')) {
    const answer = await world.request(method, path, { key, body })
    return { status: answer.status, reason: answer.body?.reason }
  }
  const socket = new WebSocket(world.gateway.url.replace('http', 'ws') + path, ['twin.v1.json'], {
    headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
  })
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.close()
      resolve({ status: 101 })
    })
    socket.on('unexpected-response', async (request, answer) => {
      const chunks = []
      for await (const chunk of answer) chunks.push(chunk)
      request.destroy()
      resolve({ status: answer.statusCode, reason: JSON.parse(Buffer.concat(chunks)).reason })
    })
    socket.on('error', reject)
  })
}

// Things of the twin `OWN` that a path may name, made anew for each cell.
async function makeThings() {
  const own = await world.twin(OWN, RICH)
  const other = await world.twin(OTHER, RICH)
  const session = world.session(own)
  const { session_id: sessionId } = await session.started()
  const { body } = await world.turn(own)
  return { twins: { [OWN]: own, [OTHER]: other }, session, sessionId, decision: body.decision.id }
}

function verdict(status) {
  return status === 401 || status === 403 ? 'refused' : status === 404 ? 'not found' : 'allowed'
}

function expected(name, role, tenant) {
  const least = LEAST[name] ?? 'operator'
  const isThing = /^(POST|GET) \/api\/(sessions|decisions)\//.test(name)
  if (RANK[role] >= RANK[least] && (least === 'nobody' || role === 'operator' || tenant === OWN)) {
    return ['allowed']
  }
  if (role === 'nobody') return ['refused', 401, 'unauthenticated']
  if (isThing && RANK[role] >= RANK[least]) return ['not found', 404, 'not_found']
  return ['refused', 403]
}

test('every endpoint answers every role as the table says', async t => {
  const all = await endpoints()
  assert.ok(all.length >= 17, `only ${all.length} endpoints were found in openapi.yaml`)
  let cells = 0
  for (const [method, pattern] of all) {
    const name = `${method} ${pattern.replace(/\{\w+\}/g, '{}')}`
    if (NOT_THERE.includes(name)) continue
    let things = await makeThings()
    for (const [who, role, tenant, key] of callers(things.twins)) {
      const own = things.twins[OWN]
      const path = pattern
        .replace(/\{(avatar|tenant)\}/, OWN)
        .replace('{key}', own.keyId)
        .replace('{session}', things.sessionId)
        .replace('{decision}', things.decision)
        .replace(/\{\w+\}/, 'x')
      const shown = who.endsWith(' key') && tenant !== undefined ? things.twins[tenant].key : key
      const body = method === 'PUT' ? RICH : /turns$/.test(path) ? { text: 'hi' } : undefined
      const { status, reason } = await ask(method, path, shown, body)
      const [wanted, wantedStatus, wantedReason] = expected(name, role, tenant)
      const cell = `${name} by ${who}: ${status} ${reason}`
      // What a role may reach need not be there ("x"); whether it may was decided before that.
      const isUnnamed = path.endsWith('/x') && status === 404
      assert.equal(isUnnamed ? 'allowed' : verdict(status), wanted, cell)
      if (wantedStatus !== undefined) assert.equal(status, wantedStatus, cell)
      if (wantedReason !== undefined) assert.equal(reason, wantedReason, cell)
      cells++
      if (wanted === 'allowed' && (method === 'DELETE' || /terminate$/.test(path))) {
        things.session.socket.terminate()
        things = await makeThings()
      }
    }
    things.session.socket.terminate()
  }
  t.diagnostic(`${all.length} endpoints, ${cells} cells`)
})

test('another twin in body, path or query does not widen a credential', async () => {
  const { twins, session } = await makeThings()
  session.socket.terminate()
  const key = issuer.token('k', OWN, { scope: 'tenant-admin' })
  const put = (id, body) => world.request('PUT', `/api/tenants/${id}`, { key, body })
  assert.equal((await put(OTHER, { id: OWN })).status, 403)
  assert.notEqual((await put(OWN, { id: OTHER, ...RICH })).body.id, OTHER)
  const audit = `/api/tenants/${OWN}/audit?tenant_id=${OTHER}`
  const { entries } = (await world.request('GET', audit, { key })).body
  assert.ok(entries.every(entry => entry.details?.caller_tenant_id !== OWN))
  for (const path of [`${OWN}/../${OTHER}`, `${OTHER}%2f..%2f${OWN}`, `${OTHER}/`, `//${OTHER}`]) {
    const { status } = await world.request('GET', `/api/tenants/${path}/balance`, { key })
    assert.ok([403, 404].includes(status), `${path}: ${status}`)
  }
  const turn = { text: 'hi', tenant_id: OTHER }
  const before = await world.audit(twins[OTHER], 'BILLING_EVENT')
  await world.turn(twins[OWN], turn)
  assert.equal((await world.audit(twins[OTHER], 'BILLING_EVENT')).length, before.length)
})

test('two keys work at once; one that is removed takes its sessions and tickets along', async () => {
  const { twins, session } = await makeThings()
  session.socket.terminate()
  const old = twins[OWN]
  const made = (await world.admin('POST', `/api/tenants/${OWN}/keys`)).body
  const turn = key => world.turn(old, { text: 'hi' }, { key })
  assert.equal((await turn(old.key)).status, 200)
  assert.equal((await turn(made.key)).status, 200)
  const tickets = `/v1/twins/${OWN}/tickets`
  const { ticket } = (await world.request('POST', tickets, { key: old.key })).body
  const [ending, staying] = [world.session(old), world.session(old, { key: made.key })]
  await Promise.all([ending.started(), staying.started()])
  assert.equal((await world.admin('DELETE', `/api/tenants/${OWN}/keys/${old.keyId}`)).status, 200)
  assert.equal((await turn(old.key)).status, 401)
  assert.equal((await turn(made.key)).status, 200)
  assert.equal((await ending.frame('session.ended')).reason, 'OPERATOR')
  assert.equal((await ending.closed).code, 4401)
  assert.equal((await world.session(old, { ticket }).closed).code, 4401)
  staying.turn(1, '[tokens:2] hi')
  await staying.frame('turn.done', 1)
  await staying.end()
})

test('a key that is replaced is good for the overlap, then ends with its sessions', async () => {
  const twin = await world.twin('rotated', RICH)
  const turn = async key => (await world.turn(twin, { text: 'hi' }, { key })).status
  const rotate = (id, body) =>
    world.admin('POST', `/api/tenants/${twin.id}/keys/${id}/rotate`, body)
  for (const wrong of [
    { overlap_s: -1 },
    { overlap_s: 1.5 },
    { overlap_s: 604801 },
    { x: 1 },
    [],
  ]) {
    assert.equal((await rotate(twin.keyId, wrong)).status, 400, JSON.stringify(wrong))
  }
  assert.equal((await rotate('key_none', { overlap_s: 1 })).status, 404)
  const { status, body } = await rotate(twin.keyId)
  assert.equal(status, 201)
  assert.match(body.key, /^twk_[\w-]{43}$/)
  assert.equal(body.replaces, twin.keyId)
  assert.equal(await turn(twin.key), 200, 'for a day')
  assert.equal(await turn(body.key), 200)
  const session = world.session(twin)
  await session.started()
  const last = (await rotate(twin.keyId, { overlap_s: 1 })).body
  assert.equal(await turn(last.key), 200)
  assert.equal((await session.closed).code, 4401)
  assert.equal(await turn(twin.key), 401)
  assert.equal((await rotate(twin.keyId)).status, 404, 'it has ended')
  await world.crashAndRestart()
  assert.equal(await turn(twin.key), 401)
  assert.equal(await turn(body.key), 200)
  assert.equal(await turn(last.key), 200)
  const { keys } = (await world.admin('GET', `/api/tenants/${twin.id}/keys`)).body
  assert.deepEqual(
    keys.map(key => key.expires_at !== undefined),
    [true, false, false],
  )
  const records = await world.audit(twin, 'KEY_ROTATED')
  assert.equal(records.length, 2)
  assert.ok(!JSON.stringify(records).includes('twk_'))
})

// Tickets: what a browser, which cannot set a header nor read a refused upgrade, comes in with. And
// the limit of failed logins.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World, until } from '../harness.mjs'
import { Issuer } from '../issuer.mjs'

let issuer, world, a, b
before(async () => {
  issuer = await new Issuer().listen()
  issuer.addKey('k')
  world = await World.start({ env: issuer.env() })
  a = await world.twin('tenant-a')
  b = await world.twin('tenant-b')
})
after(async () => {
  await world.stop()
  issuer.close()
})

async function ticketOf(twin, key = twin.key) {
  const answer = await world.request('POST', `/v1/twins/${twin.id}/tickets`, { key })
  assert.equal(answer.status, 201, JSON.stringify(answer.body))
  assert.match(answer.body.ticket, /^twt_[\w-]{43}$/)
  assert.equal(answer.body.expires_in_s, 30)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  return answer.body.ticket
}

const browse = (twin, ticket, options) => world.session(twin, { mode: 'text', ticket, ...options })

// The session is upgraded, told why it is refused, and closed: { code, problem }.
async function refused(session) {
  const { code } = await session.closed
  assert.equal(session.frames.length, 1, JSON.stringify(session.frames))
  const [frame] = session.frames
  assert.equal(frame.type, 'error')
  assert.equal(frame.fatal, true)
  assert.equal(frame.seq, 1)
  return { code, problem: frame.problem }
}

test('a ticket opens one session', async () => {
  const ticket = await ticketOf(a)
  const session = browse(a, ticket)
  await session.frame('session.started')
  session.turn(1, '[tokens:2] hi')
  await session.frame('turn.done', 1)
  await session.end()
  const { code, problem } = await refused(browse(a, ticket))
  assert.equal(code, 4401)
  assert.equal(problem.reason, 'unauthenticated')
})

test('of two who come with one ticket at once, one gets in', async () => {
  const ticket = await ticketOf(a)
  const sessions = Array.from({ length: 8 }, () => browse(a, ticket))
  const closed = []
  for (const session of sessions) session.closed.then(({ code }) => closed.push(code))
  await until(() => closed.length === 7, 'seven to be refused')
  assert.deepEqual(closed, Array(7).fill(4401))
  await sessions.find(session => session.frames[0]?.type === 'session.started').end()
})

test("a ticket for one twin is no ticket for another, and is recorded in that one's trail", async () => {
  const { code, problem } = await refused(browse(b, await ticketOf(a)))
  assert.equal(code, 4403)
  assert.equal(problem.reason, 'forbidden_tenant')
  assert.equal((await world.audit(b, 'ACCESS_REFUSED')).length, 1)
})

test('what is no ticket is told so in a frame, in the format asked for', async () => {
  for (const ticket of ['', 'nonsense', 'x'.repeat(3000), a.key, 'twt_%00']) {
    assert.equal((await refused(browse(a, ticket))).code, 4401, ticket.slice(0, 20))
  }
  assert.equal((await refused(browse(a, 'nonsense', { protocols: [] }))).code, 4401)
  assert.equal((await refused(browse(a, 'nonsense', { format: 'msgpack' }))).code, 4401)
})

test('a ticket beside another credential is refused', async () => {
  const headers = { Authorization: `Bearer ${a.key}` }
  const { code, problem } = await refused(browse(a, await ticketOf(a), { headers }))
  assert.equal(code, 4401)
  assert.match(problem.detail, /not both/)
})

test('a ticket opens nothing but a session', async () => {
  const ticket = await ticketOf(a)
  assert.equal((await world.turn(a, { text: 'hi' }, { key: ticket })).status, 401)
  const inQuery = `/v1/twins/${a.id}/turns?ticket=${ticket}`
  assert.equal((await world.request('POST', inQuery, { body: { text: 'hi' } })).status, 401)
  const more = await world.request('POST', `/v1/twins/${a.id}/tickets`, { key: ticket })
  assert.equal(more.status, 401)
  const session = browse(a, ticket)
  await session.frame('session.started')
  await session.end()
})

test("a ticket is given to a twin's own credentials, and to the operator", async () => {
  const path = `/v1/twins/${b.id}/tickets`
  assert.equal((await world.request('POST', path, { key: a.key })).status, 403)
  assert.equal((await world.request('POST', path)).status, 401)
  assert.equal((await world.request('GET', path, { key: b.key })).status, 405)
  const unknown = await world.admin('POST', '/v1/twins/nobody/tickets')
  assert.equal(unknown.status, 404)
  const session = browse(b, await ticketOf(b, world.environment.TWIN_ADMIN_TOKEN))
  await session.frame('session.started')
  await session.end()
})

test('a session by a ticket ends with the token the ticket was got with', async () => {
  const exp = Math.floor(Date.now() / 1000) + 3
  const session = browse(a, await ticketOf(a, issuer.token('k', a.id, { exp })))
  await session.frame('session.started')
  assert.equal((await session.frame('error')).problem.reason, 'credential_expires')
  assert.equal((await session.closed).code, 4401)
})

test('a budget that is used up is told to a ticket holder as 4402', async () => {
  const poor = await world.twin('poor', {
    policy_config: { limits: { monthly_hard_limit_usd: '0' } },
  })
  const { code, problem } = await refused(browse(poor, await ticketOf(poor)))
  assert.equal(code, 4402)
  assert.equal(problem.title, 'Twin is sleeping')
})

test('who fails to log in too often is not listened to for a while, and told how long', async () => {
  const own = await World.start({ env: { TWIN_LOGIN_FAILURES: '60' } })
  const twin = await own.twin('tenant-a')
  const statuses = []
  for (let i = 0; i < 70; i++) {
    const answer = await own.turn(twin, { text: 'hi' }, { key: `twk_guess${i}` })
    statuses.push(answer.status)
    if (answer.status === 429) {
      assert.equal(answer.body.reason, 'login_rate')
      assert.ok(Number(answer.headers.get('retry-after')) >= 1)
    }
  }
  assert.deepEqual(statuses.slice(0, 60), Array(60).fill(401))
  assert.ok(statuses.slice(60).filter(status => status === 429).length >= 5, `${statuses}`)
  await until(async () => (await own.turn(twin)).status === 200, 'to be listened to again')
  assert.equal((await own.request('GET', '/healthz')).status, 200)
  await own.stop()
})

test("valid credentials are not counted, another twin's among them", async () => {
  const own = await World.start({ env: { TWIN_LOGIN_FAILURES: '5' } })
  const one = await own.twin('tenant-a')
  const two = await own.twin('tenant-b')
  for (let i = 0; i < 20; i++) {
    assert.equal((await own.turn(one, { text: 'hi' }, { key: two.key })).status, 403)
  }
  assert.equal((await own.turn(two)).status, 200)
  await own.stop()
})

// What a twin refuses is in its audit trail: whose, why and by which decision; one by one at first,
// then as a count. No load of refused turns makes it grow without end, and no store that is away
// makes it forget.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startShared, stopShared } from '../cluster.mjs'
import { World, bin, run, until } from '../harness.mjs'

const ROWS_A_MINUTE = 41 // 20 one by one, and a sum of each of 16 reasons and 5 kinds

let world
before(async () => {
  world = await World.start({ simulator: ['--media-speed', '3'] })
})
after(() => world.stop())

const document = (limits, more = {}) => ({
  policy: 'default',
  policy_config: {
    limits: { monthly_hard_limit_usd: '10', ...limits },
    prices: { interaction_usd: '0.01', token_1k_usd: '0' },
    ...more,
  },
})

const EVENTS = /^(TURN|SESSION|LEG)_(REFUSED|DOWNGRADED)$/

async function refusals(twin, of = world) {
  return (await of.audit(twin)).filter(entry => EVENTS.test(entry.event))
}

// The one record that a twin's trail has of refusals, once it is there.
async function only(twin) {
  const entries = await until(async () => {
    const found = await refusals(twin)
    return found.length > 0 && found
  }, `a refusal in the trail of ${twin.id}`)
  assert.equal(entries.length, 1, JSON.stringify(entries))
  return entries[0]
}

const count = entries => entries.reduce((sum, { details }) => sum + (details.count ?? 1), 0)

test('a turn that money refuses is told with its decision, which can be asked for', async () => {
  const twin = await world.twin('broke', document({ monthly_hard_limit_usd: '0.01' }))
  assert.equal((await world.turn(twin)).status, 200)
  const refused = await world.turn(twin)
  assert.equal(refused.status, 402)
  const { event, session_id, details } = await only(twin)
  assert.equal(event, 'TURN_REFUSED')
  assert.equal(session_id, null, 'none was begun')
  assert.deepEqual(details, {
    reason: 'monthly_hard_limit',
    mode: 'text',
    policy: 'default',
    decision_id: refused.body.decision_id,
    caller: twin.keyId,
  })
  const { body } = await world.admin('GET', `/api/decisions/${details.decision_id}`)
  assert.deepEqual([body.action, body.inputs.posted_usd], ['deny', '0.010000000'])
})

test('a turn that the rate refuses is told with its session', async () => {
  const rate = { per_second: 1, burst: 1 }
  const twin = await world.twin('hasty', document({}, { rate }))
  const session = world.session(twin)
  const { session_id: id } = await session.started()
  session.turn(1, 'hi')
  session.turn(2, 'hi')
  const refused = await session.frame('turn.refused', 2)
  const { event, session_id, details } = await only(twin)
  assert.deepEqual([event, session_id, details.reason], ['TURN_REFUSED', id, 'burst_rate'])
  assert.equal(details.decision_id, refused.problem.decision_id)
  assert.equal(details.caller, twin.keyId)
  await session.frame('turn.done', 1)
  await session.end()
})

test('a session that is refused, and one that is lowered, are told', async () => {
  const strict = await world.twin('strict', document({}, { modes: ['voice'] }))
  const upgrade = world.session(strict, { mode: 'text' })
  const [, answer] = await new Promise(resolve =>
    upgrade.socket.on('unexpected-response', (...args) => resolve(args)),
  )
  assert.notEqual(answer.statusCode, 101)
  answer.resume()
  const refused = await only(strict)
  assert.deepEqual([refused.event, refused.details.reason], ['SESSION_REFUSED', 'mode_not_allowed'])

  const mute = await world.twin('mute', document({ voice_minutes: 0 }))
  const session = world.session(mute, { mode: 'voice' })
  const started = await session.started()
  const lowered = await only(mute)
  assert.equal(lowered.event, 'SESSION_DOWNGRADED')
  assert.equal(lowered.session_id, started.session_id)
  assert.equal(lowered.details.reason, 'voice_quota')
  assert.equal(lowered.details.mode, 'voice', 'what was asked for')
  assert.match(lowered.details.policy_version, /^sha256:/)
  await session.end()
})

test('a turn that is lowered, and one beyond its tokens, are told', async () => {
  const mute = await world.twin('whisper', document({ voice_minutes: 0 }))
  const { body } = await world.turn(mute, { text: 'hi', mode: 'voice' })
  const lowered = await only(mute)
  assert.equal(lowered.event, 'TURN_DOWNGRADED')
  assert.equal(lowered.details.decision_id, body.decision.id)
  const terse = await world.twin('terse', document({ tokens_per_session: 1 }))
  assert.notEqual((await world.turn(terse)).status, 200)
  const refused = await only(terse)
  assert.deepEqual([refused.event, refused.details.reason], ['TURN_REFUSED', 'session_tokens'])
})

test('a stream that gets no more is told, once', async () => {
  const twin = await world.twin('talker', document())
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  session.turn(1, '[tokens:300] tell me everything')
  await session.frame('output.audio', 1)
  const lower = document({ monthly_hard_limit_usd: '0.001' })
  await world.admin('PUT', `/api/tenants/${twin.id}`, lower)
  assert.equal((await session.frame('session.ended')).reason, 'COST_LIMIT')
  const [entry, ...others] = (await refusals(twin)).filter(({ event }) => event === 'LEG_REFUSED')
  assert.equal(entry.details.reason, 'monthly_hard_limit')
  const legs = (await world.audit(twin, 'BILLING_EVENT')).map(leg => leg.id)
  assert.ok(legs.includes(entry.details.leg_id), 'it is the leg that was cut')
  assert.deepEqual(others, [])
})

test('a thousand refused turns are a few rows that count them all, and the trail is whole', async () => {
  const rate = { per_second: 1, burst: 1 }
  const twin = await world.twin('flood', document({}, { rate }))
  let refused = 0
  const ask = async () => {
    for (let i = 0; i < 100; i++) if ((await world.turn(twin)).status === 429) refused++
  }
  await Promise.all(Array.from({ length: 10 }, ask))
  assert.ok(refused > 900, `${refused} of 1000`)
  assert.ok((await refusals(twin)).length <= 2 * ROWS_A_MINUTE)
  assert.equal(await world.gateway.stop(), 0)
  await world.startGateway()
  const entries = await refusals(twin)
  assert.ok(entries.length <= 2 * ROWS_A_MINUTE, `${entries.length} rows`)
  assert.equal(count(entries), refused)
  const sum = entries.find(({ details }) => details.count > 1)
  assert.deepEqual([sum.event, sum.details.reason], ['TURN_REFUSED', 'burst_rate'])
  assert.equal(sum.details.caller, twin.keyId)
  assert.ok(Date.parse(sum.details.first_at) <= Date.parse(sum.details.last_at))
  const events = await world.admin('GET', `/api/tenants/${twin.id}/audit?format=cloudevents`)
  const types = events.body.split('\n').filter(line => line.includes('audit.turn_refused.v1'))
  assert.equal(types.length, entries.length)
  const env = { TWIN_URL: world.gateway.url, TWIN_ADMIN_TOKEN: world.environment.TWIN_ADMIN_TOKEN }
  const verified = await run(join(bin, 'twin-gateway'), ['audit', 'verify', twin.id], { env })
  assert.equal(verified.code, 0, verified.stderr)
  assert.match(verified.stdout, /flood: whole/)
})

test('what is refused while the store is away is counted, and told when it is back', async () => {
  const shared = await startShared()
  try {
    const rate = { per_second: 1, burst: 1 }
    const twin = await shared.twin('away', document({}, { rate }))
    assert.equal((await shared.turn(twin)).status, 200)
    await shared.cluster.stopServer()
    const decisions = []
    for (let i = 0; i < 60; i++) {
      const { status, body } = await shared.turn(twin)
      assert.notEqual(status, 200)
      if (body.decision_id !== undefined) decisions.push(body.decision_id)
    }
    assert.ok(decisions.length > 30, `${decisions.length} decisions`)
    await shared.cluster.startServer()
    const trail = () => shared.admin('GET', `/api/tenants/${twin.id}/audit`)
    await until(async () => (await trail()).status === 200, 'the store')
    await until(async () => (await refusals(twin, shared)).length > 0, 'what waited')
    assert.equal(await shared.gateway.stop(), 0, 'and the rest goes with it')
    await shared.startGateway()
    const entries = await refusals(twin, shared)
    assert.equal(count(entries), decisions.length)
    assert.ok(entries.length <= 2 * ROWS_A_MINUTE, `${entries.length} rows`)
  } finally {
    await stopShared(shared)
  }
})

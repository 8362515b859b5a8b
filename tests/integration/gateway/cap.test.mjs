// A session whose money runs out in the middle of a voice stream.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World, compareWithBill } from '../harness.mjs'

// A turn is a cent, a minute of voice four and a half: two cents are a turn and 13 s of voice.
function twoCents(policy) {
  return {
    policy,
    policy_config: {
      limits: { monthly_hard_limit_usd: '0.02' },
      prices: { interaction_usd: '0.01', token_1k_usd: '0' },
      settings: policy === 'jose_luis_fernandez' ? { soft_cap: 100, text_reserve: '0' } : {},
    },
  }
}
const LONG = '[tokens:300] tell me everything'

let world
before(async () => {
  world = await World.start({ simulator: ['--media-speed', '3'] })
})
after(() => world.stop())

// Voices until the money is gone, and the frames up to then.
async function speakUntilCut(session) {
  session.turn('long', LONG)
  await session.frame('turn.accepted', 'long')
  await session.frame('output.audio', 'long')
}

test("two warnings come, voice stops, and the session ends with a bill that is the vendors'", async () => {
  const twin = await world.twin('cut', twoCents('default'))
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  await speakUntilCut(session)
  const ended = await session.frame('session.ended')
  assert.equal(ended.reason, 'COST_LIMIT')
  assert.equal((await session.closed).code, 4402)
  const warnings = session.frames.filter(frame => frame.type === 'quota.warning')
  assert.ok(warnings.length >= 2, `${warnings.length} warnings`)
  const audio = session.frames.filter(frame => frame.type === 'output.audio')
  assert.ok(audio.length > 3, `${audio.length} pieces of audio`)
  const trail = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(trail.length, 2)
  await compareWithBill(assert, world, twin, '0.01')
  const { posted_usd: posted, held_usd: held } = await world.balance(twin)
  assert.ok(Number(posted) <= 0.02, posted)
  assert.ok(Number(posted) > 0.015, `${posted}: the money was there to be used`)
  assert.equal(held, '0.000000000')
  assert.equal(ended.bill.cost_usd, posted)
})

test('a policy that warns at each quantum is passed on when half of the time has gone', async () => {
  const { policy_config: config } = twoCents('default')
  const twin = await world.twin('often', {
    policy: 'default',
    policy_config: {
      ...config,
      limits: { monthly_hard_limit_usd: '0.03' },
      settings: { warn_seconds: 600 },
    },
  })
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  session.turn('long', LONG)
  await session.frame('session.ended')
  const left = session.frames
    .filter(frame => frame.type === 'quota.warning')
    .map(frame => frame.seconds_left)
  // The second is due at ten seconds in any case.
  const early = left.slice(1).filter((seconds, i) => seconds > left[i] / 2 && seconds > 10)
  assert.deepEqual(early, [], `${left}`)
  assert.ok(left.length >= 2 && left.length <= 6, `${left}`)
})

test('with a policy that downgrades, voice stops and text goes on in the same session', async () => {
  const twin = await world.twin('goes-on', {
    ...twoCents('jose_luis_fernandez'),
    policy_config: {
      ...twoCents('jose_luis_fernandez').policy_config,
      limits: { monthly_hard_limit_usd: '0.05' },
      settings: { soft_cap: 60, text_reserve: '0.02', warn_seconds: 600 },
    },
  })
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  await speakUntilCut(session)
  const changed = await session.frame('mode.changed')
  assert.deepEqual([changed.from, changed.to], ['voice', 'text'])
  const done = await session.frame('turn.done', 'long')
  assert.ok(done.usage.media_ms > 0)
  assert.ok(session.frames.filter(frame => frame.type === 'quota.warning').length >= 2)
  session.frames.length = 0
  session.turn('after', '[tokens:5] go on')
  const after = await session.frame('turn.done', 'after')
  assert.equal(after.mode, 'text')
  assert.ok(session.frames.some(frame => frame.type === 'output.text'))
  assert.ok(!session.frames.some(frame => frame.type === 'output.audio'))
  const ended = await session.end()
  assert.equal(ended.reason, 'USER_EXIT')
  await compareWithBill(assert, world, twin, '0.01')
})

test('a session limit ends the session, and the twin still talks to others', async () => {
  const twin = await world.twin('session-limit', {
    policy_config: {
      limits: { monthly_hard_limit_usd: '1', session_limit_usd: '0.03' },
      prices: { interaction_usd: '0.01' },
    },
  })
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  for (let i = 0; i < 3; i++) {
    session.turn(i, '[tokens:1] hello')
    await session.frame('turn.done', i)
  }
  session.turn(3, 'one more')
  const refused = await session.frame('turn.refused', 3)
  assert.equal(refused.problem.reason, 'session_limit')
  assert.equal(refused.problem.status, 402)
  await session.end()
  assert.equal((await world.turn(twin)).status, 200)
})

test('an operator ends a session, and the client gets the bill', async () => {
  const twin = await world.twin('terminated')
  const session = world.session(twin, { mode: 'text' })
  const started = await session.started()
  session.turn(1, '[tokens:2] hello')
  await session.frame('turn.done', 1)
  const path = `/api/sessions/${started.session_id}/terminate`
  const { status } = await world.admin('POST', path)
  assert.ok(status === 202 || status === 204, `${status}`)
  const ended = await session.frame('session.ended')
  assert.equal(ended.reason, 'OPERATOR')
  assert.equal(ended.bill.turns, 1)
  assert.equal((await world.admin('POST', path)).status, 404)
})

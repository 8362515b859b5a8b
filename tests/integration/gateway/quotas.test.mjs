// Limits within the month: a cap that is changed while sessions run counts from the next quantum on,
// and sessions, minutes and tokens have caps of their own.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World, compareWithBill } from '../harness.mjs'

const LONG = '[tokens:300] tell me everything'

let world
before(async () => {
  world = await World.start({ simulator: ['--media-speed', '3'] })
})
after(() => world.stop())

function document(limits) {
  return {
    policy: 'default',
    policy_config: { limits, prices: { interaction_usd: '0.01', token_1k_usd: '0' } },
  }
}

async function limit(twin, limits) {
  const put = await world.admin('PUT', `/api/tenants/${twin.id}`, document(limits))
  assert.equal(put.status, 200)
}

// A session in which somebody is being talked to.
async function speaking(twin) {
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  session.turn('long', LONG)
  await session.frame('output.audio', 'long')
  return session
}

test('a cap that is lowered while a stream runs stops it at the next quantum', async () => {
  const twin = await world.twin('lowered', document({ monthly_hard_limit_usd: '10' }))
  const session = await speaking(twin)
  await limit(twin, { monthly_hard_limit_usd: '0.001' })
  const ended = await session.frame('session.ended')
  assert.equal(ended.reason, 'COST_LIMIT')
  const whole = await world.twin('whole', document({ monthly_hard_limit_usd: '10' }))
  const uncut = await speaking(whole)
  await uncut.frame('turn.done', 'long')
  await uncut.end()
  const cut = Number((await world.balance(twin)).posted_usd)
  const paid = Number((await world.balance(whole)).posted_usd)
  assert.ok(cut < paid, `${cut} of ${paid}`)
  assert.equal((await world.turn(twin)).status, 402)
  await compareWithBill(assert, world, twin, '0.01')
})

test('a cap that is raised while a stream runs lets it go on', async () => {
  const twin = await world.twin('raised', document({ monthly_hard_limit_usd: '0.02' }))
  const session = await speaking(twin)
  await session.frame('quota.warning')
  await limit(twin, { monthly_hard_limit_usd: '10' })
  await session.frame('turn.done', 'long')
  assert.equal((await session.end()).reason, 'USER_EXIT')
  assert.ok(Number((await world.balance(twin)).posted_usd) > 0.02)
  await compareWithBill(assert, world, twin, '0.01')
})

test('a cap that is raised wakes a twin that sleeps, and a lowered one puts it to sleep', async () => {
  const twin = await world.twin('sleeper', document({ monthly_hard_limit_usd: '0.01' }))
  assert.equal((await world.turn(twin)).status, 200)
  assert.equal((await world.turn(twin)).status, 402)
  await limit(twin, { monthly_hard_limit_usd: '0.03' })
  assert.equal((await world.turn(twin)).status, 200)
  await limit(twin, { monthly_hard_limit_usd: '0.02' })
  const refused = await world.turn(twin)
  assert.equal(refused.status, 402)
  assert.equal(refused.body.limit_usd, '0.020000000')
  assert.equal(refused.body.posted_usd, '0.020000000')
})

test('no minutes of voice or video: it is text, and no vendor of those is called', async () => {
  const limits = { monthly_hard_limit_usd: '10', voice_minutes: 0, video_minutes: 0 }
  const twin = await world.twin('mute', document(limits))
  const spoken = await world.turn(twin, { text: 'hello', mode: 'voice' })
  assert.deepEqual([spoken.status, spoken.body.mode], [200, 'text'])
  assert.equal(spoken.body.decision.action, 'downgrade')
  assert.equal(spoken.body.decision.reason, 'voice_quota')
  const calls = await world.calls()
  const session = world.session(twin, { mode: 'video' })
  const started = await session.started()
  const mode = started.mode === 'text' ? started : await session.frame('mode.changed')
  assert.equal(mode.mode ?? mode.to, 'text')
  assert.equal(started.join, undefined)
  assert.equal(await world.calls(), calls, 'no room was made')
  await session.end()
})

test('a mode that the twin has not is lowered, and the decision says so', async () => {
  const policy_config = { limits: { monthly_hard_limit_usd: '10' }, modes: ['text'] }
  const twin = await world.twin('writer', { policy: 'default', policy_config })
  const { body } = await world.turn(twin, { text: 'hello', mode: 'voice' })
  assert.deepEqual(
    [body.mode, body.decision.action, body.decision.reason],
    ['text', 'downgrade', 'mode_not_allowed'],
  )
  const plain = await world.turn(twin, { text: 'hello', mode: 'text' })
  assert.equal(plain.body.decision.action, 'pass')
})

test("a session's tokens are counted, and their end ends what it may say", async () => {
  const limits = { monthly_hard_limit_usd: '10', tokens_per_session: 400 }
  const twin = await world.twin('terse', document(limits))
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  let tokens = 0
  let refused
  for (let i = 0; i < 40 && refused === undefined; i++) {
    session.turn(i, '[tokens:30] go on')
    const frame = await Promise.race([
      session.frame('turn.done', i),
      session.frame('turn.refused', i).catch(() => undefined),
    ])
    if (frame.type === 'turn.done') tokens += frame.usage.tokens
    else refused = frame.problem
  }
  assert.ok(refused !== undefined, 'there was an end')
  assert.ok(tokens > 100 && tokens <= 400, `${tokens} tokens`)
  assert.equal(refused.reason, 'session_tokens')
  assert.equal((await world.turn(twin)).status, 200, 'the twin still talks to others')
})

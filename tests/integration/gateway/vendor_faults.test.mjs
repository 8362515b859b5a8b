// Vendors that refuse, hang, send garbage or cut the stream: the turn gets a clear answer, the
// session lives on, and the ledger says what the vendor will charge.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { World, compareWithBill, sleep, until } from '../harness.mjs'

const RICH = { policy_config: { limits: { monthly_hard_limit_usd: '100' } } }

let world
before(async () => {
  world = await World.start({ simulator: ['--media-speed', '10'] })
})
after(() => world.stop())

// Each: the fault, and what a turn is answered with.
const clean = [
  ['refuse', 502, 'vendor_rejected'],
  ['out_of_money', 503, 'vendor_unavailable'],
  ['rate_limit', 503, 'vendor_unavailable'],
  ['server_error', 503, 'vendor_unavailable'],
  ['garbage', 502, 'vendor_malformed'],
]

for (const [kind, status, reason] of clean) {
  test(`a chat vendor that answers with ${kind} costs nothing, and the next turn succeeds`, async () => {
    const twin = await world.twin(`chat-${kind.replaceAll('_', '-')}`, RICH)
    await world.fault('openai', kind)
    const failed = await world.turn(twin)
    assert.equal(failed.status, status, JSON.stringify(failed.body))
    assert.equal(failed.body.reason, reason)
    assert.ok(!JSON.stringify(failed.body).includes('sim-key'))
    assert.equal((await world.turn(twin)).status, 200)
    const trail = await world.audit(twin, 'BILLING_EVENT')
    assert.equal(trail.length, 2)
    assert.equal((await world.balance(twin)).posted_usd, '0.010000000')
    assert.equal((await world.balance(twin)).held_usd, '0.000000000')
  })
}

test('a chat stream that is cut keeps its session, and is settled', async () => {
  const twin = await world.twin('chat-cut', {
    policy_config: {
      limits: { monthly_hard_limit_usd: '100' },
      prices: { interaction_usd: '0', token_1k_usd: '0.01' },
    },
  })
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  await world.fault('openai', 'cut')
  session.turn(1, '[tokens:50] hello')
  const refused = await session.frame('turn.refused', 1)
  assert.match(refused.problem.reason, /^vendor_/)
  session.turn(2, '[tokens:5] hello')
  await session.frame('turn.done', 2)
  await session.end()
  const trail = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(trail.length, 2)
  const { legs } = await world.vendor('/_bill')
  const cut = trail.find(entry => entry.outcome !== 'completed')
  assert.ok(
    Number(cut.cost_amount) >= Number(legs[cut.id]?.usd ?? 0),
    'never below what the vendor charges',
  )
  assert.equal((await world.balance(twin)).held_usd, '0.000000000')
})

test('a speech vendor that cuts its stream leaves the text, and its bill is right', async () => {
  const twin = await world.twin('speech-cut', RICH)
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  await world.fault('cartesia', 'cut')
  session.turn(1, '[tokens:40] hello')
  const { problem } = await session.frame('error', 1)
  assert.match(problem.reason, /^vendor_/)
  const done = await session.frame('turn.done', 1)
  assert.ok(done.usage.interactions === 1)
  session.turn(2, '[tokens:4] hello')
  assert.equal((await session.frame('turn.done', 2)).mode, 'voice')
  await session.end()
  await compareWithBill(assert, world, twin, '0.01')
})

test('a speech vendor that refuses leaves the text', async () => {
  const twin = await world.twin('speech-refuse', RICH)
  await world.fault('cartesia', 'refuse')
  const answer = await world.turn(twin, { text: '[tokens:4] hi', mode: 'voice' })
  assert.equal(answer.status, 200)
  assert.equal(answer.body.mode, 'text')
  assert.equal(answer.body.audio, undefined)
  await compareWithBill(assert, world, twin, '0.01')
})

test('a vendor that hangs is given up, and others are served meanwhile', async () => {
  const twin = await world.twin('hangs', RICH)
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  await world.fault('openai', 'hang')
  session.turn(1, 'hello')
  await session.frame('turn.accepted', 1)
  assert.equal((await world.turn(twin)).status, 200)
  session.send({ type: 'interrupt' })
  const end = await until(
    () =>
      session.frames.find(
        frame => frame.id === 1 && ['turn.done', 'turn.refused'].includes(frame.type),
      ),
    'the turn to end',
  )
  assert.ok(end)
  session.turn(2, '[tokens:2] hello')
  await session.frame('turn.done', 2)
  await session.end()
  assert.equal((await world.balance(twin)).held_usd, '0.000000000')
})

test('a stream that stops in its middle is given up when its client goes', async () => {
  const twin = await world.twin('hangs-mid', RICH)
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  await world.fault('cartesia', 'hang_mid')
  session.turn(1, '[tokens:40] hello')
  await session.frame('output.audio', 1)
  session.socket.close(1000)
  await until(
    async () => (await world.audit(twin, 'BILLING_EVENT')).length === 2,
    'both legs to be settled',
  )
  const { legs } = await world.vendor('/_bill')
  for (const entry of await world.audit(twin, 'BILLING_EVENT')) {
    const own = entry.provider_id === 'openai' ? 0.01 : 0
    assert.ok(Number(entry.cost_amount) - own >= Number(legs[entry.id]?.usd ?? 0) - 1e-9)
  }
})

for (const kind of ['refuse', 'server_error', 'garbage']) {
  test(`a video vendor that answers with ${kind} leaves a session that speaks, and costs nothing`, async () => {
    const twin = await world.twin(`video-${kind.replaceAll('_', '-')}`, RICH)
    await world.fault('tavus', kind)
    const session = world.session(twin, { mode: 'video' })
    const started = await session.started()
    assert.equal(started.join, undefined)
    const changed = await session.frame('mode.changed')
    assert.deepEqual([changed.from, changed.to], ['video', 'voice'])
    assert.match(changed.reason, /^vendor_/)
    session.turn(1, '[tokens:2] hello')
    assert.equal((await session.frame('turn.done', 1)).mode, 'voice')
    await session.end()
    await compareWithBill(assert, world, twin, '0.01')
  })
}

test('the next provider in the order of preference takes over before anything was said', async () => {
  const twin = await world.twin('fallback', { ...RICH, providers: { text: ['openai', 'openai'] } })
  await world.fault('openai', 'server_error')
  const answer = await world.turn(twin)
  assert.equal(answer.status, 200)
  const trail = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(trail.length, 2)
  assert.equal((await world.balance(twin)).posted_usd, '0.010000000')
})

// By what its vendor bills for it, and it must have been there.
async function hasEnded(leg) {
  const bill = async () => (await world.vendor('/_bill')).legs[leg]?.usd
  const before = await bill()
  await sleep(200)
  return before !== undefined && (await bill()) === before
}

for (const kind of ['server_error', 'garbage'])
  test(`a room that its vendor does not end, with ${kind}, is ended when it can be`, async () => {
    const twin = await world.twin(`would-not-end-${kind.replace('_', '-')}`, RICH)
    const session = world.session(twin, { mode: 'video' })
    await session.started()
    await world.fault('tavus', kind, 7)
    await session.end()
    const [entry] = await world.audit(twin, 'BILLING_EVENT')
    assert.equal(await hasEnded(entry.id), false)
    await until(() => hasEnded(entry.id), 'the room to be ended')
    await until(
      () => world.gateway.stderr.includes(`leg.ended_late leg="${entry.id}"`),
      'it to be told',
    )
  })

test('a room that was made and not heard of is ended when it can be', async () => {
  const twin = await world.twin('unheard', RICH)
  await world.fault('tavus', 'cut', 2) // the create's answer, and that of the search for its room
  const session = world.session(twin, { mode: 'video' })
  await session.frame('mode.changed')
  await session.end()
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  await until(() => hasEnded(entry.id), 'the room to be ended')
  await until(
    () => world.gateway.stderr.includes(`leg.ended_late leg="${entry.id}"`),
    'it to be told',
  )
})

test('a create that nobody has heard of when its session has gone costs what it held', async () => {
  const twin = await world.twin('unheard-of', RICH)
  const { total: before } = await world.vendor('/_calls')
  await world.fault('tavus', 'hang')
  const session = world.session(twin, { mode: 'video' })
  await once(session.socket, 'open')
  await until(
    async () => (await world.vendor('/_calls')).total > before,
    'its room to be asked for',
  )
  const { held_usd: held } = await world.balance(twin)
  session.socket.terminate()
  await until(async () => (await world.audit(twin, 'BILLING_EVENT')).length === 1, 'its end')
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.outcome, 'abandoned')
  assert.ok(Number(held) > 0 && Number(entry.cost_amount) >= Number(held), entry.cost_amount)
})

// EV-04: a minute of video, a real one, is one entry of the trail at what the vendor charges.
import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { World, compareWithBill, sleep, until } from '../harness.mjs'

let world
before(async () => {
  world = await World.start()
})
after(() => world.stop())

test('a minute of video is billed once, to the nano-dollar', async () => {
  const twin = await world.twin('video', {
    policy_config: { limits: { monthly_hard_limit_usd: '10' } },
  })
  const session = world.session(twin, { mode: 'video' })
  const started = await session.started()
  assert.equal(started.mode, 'video')
  assert.match(started.join.conversation_url, /^https?:/)
  await sleep(60000)
  const ended = await session.end()
  assert.equal(ended.reason, 'USER_EXIT')
  const entries = (await world.audit(twin)).filter(entry => entry.session_id === started.session_id)
  assert.equal(entries.length, 1)
  assert.equal(entries[0].event, 'BILLING_EVENT')
  assert.equal(entries[0].provider_id, 'tavus')
  const { legs } = await world.vendor('/_bill')
  assert.equal(entries[0].cost_amount, legs[entries[0].id].usd)
  assert.equal(ended.bill.cost_usd, entries[0].cost_amount)
  const cost = Number(entries[0].cost_amount)
  assert.ok(cost >= 0.37 && cost < 0.4, `${cost} for a minute at 0.37`)
})

test('a turn in a video session is answered as text and voice beside it', async () => {
  const twin = await world.twin('beside', {
    policy_config: { limits: { monthly_hard_limit_usd: '10' } },
  })
  const session = world.session(twin, { mode: 'video' })
  await session.started()
  session.turn('t1', '[tokens:5] hello')
  const done = await session.frame('turn.done', 't1')
  assert.equal(done.mode, 'voice')
  assert.ok(session.frames.some(frame => frame.type === 'output.audio'))
  const ended = await session.end()
  assert.deepEqual(
    new Set(ended.bill.providers.map(line => line.provider_id)),
    new Set(['openai', 'cartesia', 'tavus']),
  )
  await compareWithBill(assert, world, twin, '0.01')
})

test('when the money is at an end the room is ended, and how long that took is counted', async () => {
  const twin = await world.twin('short', {
    policy_config: { limits: { monthly_hard_limit_usd: '0.06' } },
  })
  const session = world.session(twin, { mode: 'video' })
  await session.started()
  const ended = await session.frame('session.ended')
  assert.equal(ended.reason, 'COST_LIMIT')
  assert.ok(session.frames.filter(frame => frame.type === 'quota.warning').length >= 2)
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.outcome, 'cost_limit')
  const { legs } = await world.vendor('/_bill')
  assert.equal(entry.cost_amount, legs[entry.id].usd)
  assert.ok(Number(entry.cost_amount) <= 0.06, entry.cost_amount)
  const { body } = await world.request('GET', '/metrics')
  assert.match(body, /^twin_cut_seconds_count 1$/m)
})

test('a room that a crash leaves behind is ended, and costs what its vendor says', async () => {
  const twin = await world.twin('left', {
    policy_config: { limits: { monthly_hard_limit_usd: '10' } },
  })
  const session = world.session(twin, { mode: 'video' })
  await session.started()
  await sleep(300)
  const { total: before } = await world.vendor('/_calls')
  await world.crashAndRestart()
  const billed = () => world.audit(twin, 'BILLING_EVENT')
  await until(async () => (await billed()).length === 1, 'the room to be settled')
  const [entry] = await billed()
  const { legs } = await world.vendor('/_bill')
  assert.equal(entry.outcome, 'recovered')
  assert.equal(entry.cost_amount, legs[entry.id].usd)
  await sleep(100)
  assert.equal((await world.vendor('/_bill')).legs[entry.id].usd, entry.cost_amount, 'it has ended')
  const { total, calls } = await world.vendor('/_calls')
  const asked = calls.slice(before - total).map(({ method, path }) => `${method} ${path}`)
  const room = asked[0].slice('GET '.length)
  assert.deepEqual(asked, [`GET ${room}`, `POST ${room}/end`, `GET ${room}`])
  assert.match(room, /conversations\/./, 'its name was kept: it is not looked for')
})

for (const kind of ['server_error', 'refuse'])
  test(`a room is ended after a crash although its vendor answers with ${kind} at first`, async () => {
    const twin = await world.twin(`insisted-${kind.replace('_', '-')}`, {
      policy_config: { limits: { monthly_hard_limit_usd: '10' } },
    })
    const { session_id: id } = await world.session(twin, { mode: 'video' }).started()
    await world.fault('tavus', kind, 6)
    await world.crashAndRestart()
    let entry
    await until(async () => {
      entry = (await world.audit(twin, 'BILLING_EVENT')).find(e => e.session_id === id)
      return entry !== undefined
    }, 'the room to be settled')
    const { legs } = await world.vendor('/_bill')
    assert.equal(entry.cost_amount, legs[entry.id].usd)
    await sleep(1500)
    const later = await world.vendor('/_bill')
    assert.equal(later.legs[entry.id].usd, entry.cost_amount, 'it costs no more')
  })

// A world whose next room takes that many seconds to come; from 3 on.
async function withSlowRoom(seconds, act, env = {}) {
  const latencyMs = `${(seconds - 2) * 100}`
  const slow = await World.start({ simulator: ['--latency-ms', latencyMs], env })
  try {
    await slow.fault('tavus', 'slow')
    await act(slow)
  } finally {
    await slow.stop()
  }
}

const limited = usd => ({ policy_config: { limits: { monthly_hard_limit_usd: usd } } })

test('until its room has come a session says nothing, and then what it had to say', () =>
  withSlowRoom(4, async slow => {
    const session = slow.session(await slow.twin('slow', limited('0.10')), { mode: 'video' })
    const warning = await session.frame('quota.warning')
    const [first] = session.frames
    assert.equal(first.type, 'session.started')
    assert.equal(first.seq, 1)
    assert.match(first.join.conversation_url, /^https?:/)
    assert.equal(warning.seq, 2, 'it had waited')
    assert.equal((await session.frame('session.ended')).reason, 'COST_LIMIT')
  }))

test('when the money is at an end before its room has come, a session begins and ends', () =>
  withSlowRoom(7, async slow => {
    const twin = await slow.twin('poor', limited('0.05'))
    const session = slow.session(twin, { mode: 'video' })
    assert.equal((await session.frame('session.ended')).reason, 'COST_LIMIT')
    const [first, ...others] = session.frames.filter(({ type }) => type !== 'usage')
    assert.equal(first.type, 'session.started')
    assert.ok(others.length >= 2 && others.every(({ type }) => type === 'quota.warning'))
    await compareWithBill(assert, slow, twin, '0.01')
  }))

const ENOUGH = `
local decision = require "twin.decision"
return {
  name = "enough",
  version = 1,
  admit = function() return decision.pass() end,
  meter = function(session)
    return session.mode == "video" and decision.downgrade("voice", "enough") or decision.pass()
  end,
}`

test('a policy that takes video back before it has come begins the session, and lowers it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'twin-policies-'))
  const policies = fileURLToPath(new URL('../../../policies', import.meta.url))
  await cp(policies, directory, { recursive: true })
  await writeFile(join(directory, 'enough.lua'), ENOUGH)
  const act = async slow => {
    const twin = await slow.twin('enough', { policy: 'enough', ...limited('1') })
    const session = slow.session(twin, { mode: 'video' })
    const changed = await session.frame('mode.changed')
    assert.deepEqual([changed.to, changed.reason], ['voice', 'enough'])
    const [first] = session.frames
    assert.deepEqual([first.type, first.seq, first.join], ['session.started', 1, undefined])
    await until(async () => (await slow.audit(twin, 'BILLING_EVENT')).length === 1, 'its end')
    await compareWithBill(assert, slow, twin, '0.01')
    assert.equal((await creates(slow)).length, 1, 'it is not asked for again')
    assert.equal((await session.end()).reason, 'USER_EXIT')
  }
  try {
    await withSlowRoom(6, act, { TWIN_POLICY_DIR: directory })
  } finally {
    await rm(directory, { recursive: true })
  }
})

// The rooms that its vendor was asked for.
async function creates(slow) {
  const { calls } = await slow.vendor('/_calls')
  return calls.filter(({ method, path }) => method === 'POST' && !path.endsWith('/end'))
}

test('who does not want video any more before it comes stays in voice, and the room is ended', () =>
  withSlowRoom(4, async slow => {
    const twin = await slow.twin('undecided', limited('1'))
    const session = slow.session(twin, { mode: 'voice' })
    await session.started()
    session.send({ type: 'mode', id: 'm1', mode: 'video' })
    await until(async () => (await slow.vendor('/_calls')).total > 0, 'the room to be asked for')
    session.send({ type: 'mode', id: 'm2', mode: 'voice' })
    await until(async () => (await slow.audit(twin, 'BILLING_EVENT')).length === 1, 'its end')
    const [entry] = await slow.audit(twin, 'BILLING_EVENT')
    assert.equal(entry.outcome, 'mode_changed')
    await compareWithBill(assert, slow, twin, '0.01')
    assert.ok(
      session.frames.every(({ type }) => type === 'usage'),
      'nothing was said of it',
    )
    await sleep(500)
    assert.equal((await creates(slow)).length, 1, 'it is not asked for again')
    assert.equal((await session.end()).reason, 'USER_EXIT')
  }))

test('of many wishes for a mode the last one counts, and one room at a time is asked for', () =>
  withSlowRoom(3, async slow => {
    const twin = await slow.twin('fickle', limited('1'))
    const session = slow.session(twin, { mode: 'voice' })
    await session.started()
    for (let i = 0; i < 101; i++)
      session.send({ type: 'mode', id: `m${i}`, mode: i % 2 ? 'voice' : 'video' })
    const changed = await session.frame('mode.changed')
    assert.equal(changed.to, 'video')
    assert.match(changed.join.conversation_url, /^https?:/)
    const made = await creates(slow)
    assert.ok(made.length <= 2, `${made.length} rooms`)
    await session.end()
    await compareWithBill(assert, slow, twin, '0.01')
  }))

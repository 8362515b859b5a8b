// Conversations by third-party clients: npm's ws and @msgpack/msgpack, both subprotocols.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'
import { World, compareWithBill, until } from '../harness.mjs'

const RICH = { policy_config: { limits: { monthly_hard_limit_usd: '100' } } }

let world
before(async () => {
  world = await World.start({ simulator: ['--media-speed', '10'] })
})
after(() => world.stop())

for (const format of ['json', 'msgpack']) {
  test(`a text turn streams its answer and ends with its price, in ${format}`, async () => {
    const twin = await world.twin(`text-${format}`, RICH)
    const session = world.session(twin, { mode: 'text', format })
    const started = await session.started()
    assert.equal(session.socket.protocol, `twin.v1.${format}`)
    assert.equal(started.mode, 'text')
    assert.match(started.session_id, /^ses_[0-9A-Z]{26}$/)
    session.turn('one', '[tokens:20] hello')
    const accepted = await session.frame('turn.accepted', 'one')
    assert.equal(accepted.decision.action, 'pass')
    const done = await session.frame('turn.done', 'one')
    assert.equal(done.provider_id, 'openai')
    assert.equal(done.cost_usd, '0.010000000')
    const text = session.frames.filter(frame => frame.type === 'output.text')
    assert.equal(
      text
        .map(frame => frame.delta)
        .join('')
        .trim()
        .split(/\s+/).length,
      20,
    )
    const ended = await session.end()
    assert.equal(ended.reason, 'USER_EXIT')
    assert.equal(ended.bill.turns, 1)
    assert.equal(ended.bill.cost_usd, '0.010000000')
    const decision = await world.admin('GET', `/api/decisions/${accepted.decision.id}`)
    assert.equal(decision.status, 200)
  })

  test(`a voice turn is chat, then speech, in ${format}`, async () => {
    const twin = await world.twin(`voice-${format}`, RICH)
    const session = world.session(twin, { mode: 'voice', format })
    await session.started()
    session.turn(7, '[tokens:10] hello')
    const done = await session.frame('turn.done', 7)
    assert.equal(done.mode, 'voice')
    assert.ok(done.usage.media_ms > 0 && done.usage.tokens > 0)
    const kinds = session.frames.map(frame => frame.type)
    assert.ok(kinds.lastIndexOf('output.text') < kinds.indexOf('output.audio'))
    const audio = session.frames.find(frame => frame.type === 'output.audio')
    assert.match(audio.format, /^pcm_s16le;rate=\d+;channels=1$/)
    const bytes = frame => (format === 'json' ? Buffer.from(frame.data, 'base64') : frame.data)
    const size = session.frames
      .filter(frame => frame.type === 'output.audio')
      .reduce((sum, frame) => sum + bytes(frame).length, 0)
    const rate = Number(/rate=(\d+)/.exec(audio.format)[1])
    assert.ok(Math.abs((size / (rate * 2)) * 1000 - done.usage.media_ms) < 2)
    await session.end()
    await compareWithBill(assert, world, twin, '0.01')
  })
}

test('frames are numbered without a gap', async () => {
  const twin = await world.twin('numbered', RICH)
  const session = world.session(twin, { mode: 'voice' })
  const seqs = []
  session.socket.on('message', data => seqs.push(JSON.parse(data).seq))
  await session.started()
  session.turn(1, '[tokens:30] hello')
  await session.frame('turn.done', 1)
  await session.end()
  assert.deepEqual(
    seqs,
    seqs.map((_, i) => i + 1),
  )
})

test('the conversation so far goes to the vendor', async () => {
  const twin = await world.twin('remembers', RICH)
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  session.turn(1, '[tokens:5] my name is Rosa')
  const first = await session.frame('turn.done', 1)
  session.turn(2, '[tokens:5] and now?')
  const second = await session.frame('turn.done', 2)
  assert.ok(second.usage.tokens > first.usage.tokens)
  await session.end()
})

test('an interrupt stops the output, and what was generated is billed', async () => {
  const twin = await world.twin('interrupted', RICH)
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  session.turn(1, '[tokens:400] a long story')
  await session.frame('output.audio', 1)
  session.send({ type: 'interrupt' })
  const done = await session.frame('turn.done', 1)
  assert.equal(done.interrupted, true)
  session.turn(2, '[tokens:3] short')
  await session.frame('turn.done', 2)
  await session.end()
  await compareWithBill(assert, world, twin, '0.01')
})

test('a client changes the mode within the session', async () => {
  const twin = await world.twin('changes', RICH)
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  session.send({ type: 'mode', mode: 'voice' })
  assert.equal((await session.frame('mode.changed')).to, 'voice')
  session.turn(1, '[tokens:3] hi')
  assert.equal((await session.frame('turn.done', 1)).mode, 'voice')
  session.send({ type: 'mode', mode: 'video' })
  const changed = await session.frame('mode.changed')
  assert.equal(changed.to, 'video')
  assert.ok(changed.join.conversation_url)
  session.send({ type: 'mode', mode: 'text' })
  assert.equal((await session.frame('mode.changed')).to, 'text')
  await session.end()
  await compareWithBill(assert, world, twin, '0.01')
})

test('a client that vanishes is billed for what was generated, and no more', async () => {
  const twin = await world.twin('vanished', RICH)
  const session = world.session(twin, { mode: 'voice' })
  await session.started()
  session.turn(1, '[tokens:400] a long story')
  await session.frame('output.audio', 1)
  session.socket.terminate()
  await until(
    async () => (await world.audit(twin, 'BILLING_EVENT')).length === 2,
    'both legs to be settled',
  )
  await compareWithBill(assert, world, twin, '0.01')
  assert.equal((await world.balance(twin)).held_usd, '0.000000000')
})

test('without a subprotocol the session speaks JSON', async () => {
  const twin = await world.twin('plain', RICH)
  const socket = new WebSocket(
    `${world.gateway.url.replace('http', 'ws')}/v1/twins/plain/session`,
    { headers: { Authorization: `Bearer ${twin.key}` } },
  )
  const [data, isBinary] = await once(socket, 'message')
  assert.equal(isBinary, false)
  assert.equal(JSON.parse(data).type, 'session.started')
  socket.close()
  await once(socket, 'close')
})

test('a turn over HTTP may be spoken', async () => {
  const twin = await world.twin('spoken', RICH)
  const { status, body } = await world.turn(twin, { text: '[tokens:5] hi', mode: 'voice' })
  assert.equal(status, 200)
  assert.equal(body.mode, 'voice')
  assert.ok(Buffer.from(body.audio.data, 'base64').length > 1000)
  await compareWithBill(assert, world, twin, '0.01')
})

test('two hundred conversations at once keep apart', async () => {
  const twin = await world.twin('crowd', {
    policy_config: {
      limits: { monthly_hard_limit_usd: '100' },
      rate: { per_second: 1000, burst: 1000 },
    },
  })
  const talk = async (_, i) => {
    const session = world.session(twin, { mode: 'text', format: i % 2 ? 'json' : 'msgpack' })
    const { session_id: id } = await session.started()
    for (let turn = 0; turn < 3; turn++) {
      session.turn(turn, `[tokens:${1 + (i % 9)}] hello`)
      const done = await session.frame('turn.done', turn)
      assert.equal(done.session_id, id)
    }
    assert.equal((await session.end()).bill.turns, 3)
  }
  await Promise.all(Array.from({ length: 200 }, talk))
  assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 600)
})

test('a gateway that is stopped ends its sessions with their bills', async () => {
  const own = await World.start()
  const twin = await own.twin('farewell', RICH)
  const session = own.session(twin, { mode: 'text' })
  await session.started()
  session.turn(1, '[tokens:2] hello')
  await session.frame('turn.done', 1)
  const stopped = own.stop()
  const ended = await session.frame('session.ended')
  assert.equal(ended.reason, 'SHUTDOWN')
  assert.equal(ended.bill.turns, 1)
  await stopped
})

test('the null vendor says what it heard, priced by the tenant, and calls nobody', async () => {
  const twin = await world.twin('null', {
    providers: { text: 'null' },
    policy_config: { modes: ['text'], prices: { interaction_usd: '0.002', token_1k_usd: '1' } },
  })
  const calls = await world.calls()
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  session.turn('one', 'nine chars')
  const said = await session.frame('output.text', 'one')
  assert.equal(said.delta, 'nine chars')
  const done = await session.frame('turn.done', 'one')
  assert.equal(done.usage.tokens, 3)
  assert.equal(done.cost_usd, '0.005000000')
  await session.end()
  assert.equal(await world.calls(), calls)
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.provider_id, 'null')
  assert.equal(entry.cost_amount, '0.005000000')
})

// What clients may send by mistake or on purpose: one clear error each, and the session or the
// connection lives on.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { encode } from '@msgpack/msgpack'
import { World } from '../harness.mjs'

let world, twin
before(async () => {
  world = await World.start()
  twin = await world.twin('patient', {
    policy_config: { limits: { monthly_hard_limit_usd: '100' } },
  })
})
after(() => world.stop())

// Each: what it is, what is sent, the reason it is answered with.
const badJson = [
  ['text that is not JSON', '{"type":', 'malformed_json'],
  ['a value that is no object', '[1,2]', 'malformed_json'],
  ['an object without a type', '{}', 'unknown_type'],
  ['a type nobody knows', '{"type":"dance"}', 'unknown_type'],
  ['a turn without text', '{"type":"turn"}', 'invalid_field'],
  ['a turn whose text is a number', '{"type":"turn","text":5}', 'invalid_field'],
  ['an empty turn', '{"type":"turn","text":""}', 'invalid_field'],
  ['a mode nobody knows', '{"type":"mode","mode":"smell"}', 'invalid_field'],
  ['an id that is an object', '{"type":"turn","id":{},"text":"x"}', 'invalid_field'],
  ['a string that is not UTF-8 once decoded', '{"type":"turn","text":"\\ud800"}', undefined],
  ['nesting without end', '['.repeat(20000), 'malformed_json'],
  ['a turn that is too long', JSON.stringify({ type: 'turn', text: 'x'.repeat(65537) }), 'too_big'],
  ['a late resume', '{"type":"resume","token":"ses_x.y","last_seq":1}', 'resume_unavailable'],
  ['a resume without a token', '{"type":"resume","last_seq":1}', 'invalid_field'],
  ['a resume from nowhere', '{"type":"resume","token":"x","last_seq":1.5}', 'invalid_field'],
  ['audio that is not base64', '{"type":"audio","data":"!!"}', 'invalid_field'],
]

test('bad JSON frames are answered, and the session goes on', async () => {
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  for (const [what, frame, reason] of badJson) {
    session.sendRaw(frame)
    const { problem, fatal } = await session
      .frame('error')
      .catch(error => assert.fail(`${what}: ${error.message}`))
    if (reason !== undefined)
      assert.equal(problem.reason, reason, `${what}: ${JSON.stringify(problem)}`)
    assert.equal(fatal, false, what)
    assert.ok(problem.detail?.length > 5 || problem.title.length > 5, what)
  }
  session.turn('fine', '[tokens:1] hello')
  await session.frame('turn.done', 'fine')
  await session.end()
})

test('bad MessagePack frames are answered, and the session goes on', async () => {
  const session = world.session(twin, { mode: 'text', format: 'msgpack' })
  await session.started()
  const bad = [
    ['bytes that end too early', Buffer.from([0x85, 0xa4]), 'malformed_msgpack'],
    ['a byte that means nothing', Buffer.from([0xc1]), 'malformed_msgpack'],
    [
      'more than one value',
      Buffer.concat([encode({ type: 'interrupt' }), encode(1)]),
      'malformed_msgpack',
    ],
    ['a number', encode(7), 'malformed_msgpack'],
    ['a type nobody knows', encode({ type: 'dance' }), 'unknown_type'],
    [
      'an array that claims to be huge',
      Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
      'malformed_msgpack',
    ],
    ['nesting without end', Buffer.alloc(20000, 0x91), 'malformed_msgpack'],
  ]
  for (const [what, bytes, reason] of bad) {
    session.sendRaw(bytes)
    const { problem } = await session
      .frame('error')
      .catch(error => assert.fail(`${what}: ${error.message}`))
    assert.equal(problem.reason, reason, `${what}: ${JSON.stringify(problem)}`)
  }
  session.turn('fine', '[tokens:1] hello')
  await session.frame('turn.done', 'fine')
  await session.end()
})

test('binary on a JSON session and text on a MessagePack one are answered', async () => {
  const json = world.session(twin, { mode: 'text' })
  await json.started()
  json.sendRaw(Buffer.from([1, 2, 3]))
  assert.equal((await json.frame('error')).problem.reason, 'binary_on_json')
  await json.end()
  const msgpack = world.session(twin, { mode: 'text', format: 'msgpack' })
  await msgpack.started()
  msgpack.sendRaw('{"type":"end"}', { binary: false })
  assert.equal((await msgpack.frame('error')).problem.reason, 'text_on_msgpack')
  await msgpack.end()
})

test('a message beyond every limit closes the connection with 1009', async () => {
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  session.sendRaw('x'.repeat(3 << 20))
  assert.equal((await session.closed).code, 1009)
})

test('text that is not UTF-8 closes the connection with 1007', async () => {
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  session.sendRaw(Buffer.from([0xff, 0xfe]), { binary: false })
  assert.equal((await session.closed).code, 1007)
})

test('a subprotocol nobody knows is refused', async () => {
  const session = world.session(twin, { mode: 'text', format: 'xml' })
  const [request, answer] = await once(session.socket, 'unexpected-response')
  assert.equal(answer.statusCode, 400)
  request.destroy()
})

test('bad turns over HTTP say what is wrong', async () => {
  const post = (body, headers) =>
    world.request('POST', `/v1/twins/${twin.id}/turns`, { key: twin.key, body, headers })
  const bad = [
    ['{"text":', 400, 'malformed_json'],
    ['[]', 400, 'malformed_json'],
    [{}, 400, 'invalid_field'],
    [{ text: 5 }, 400, 'invalid_field'],
    [{ text: 'x', mode: 'smell' }, 400, 'invalid_field'],
    [{ text: 'x'.repeat(70000) }, 413, 'too_big'],
  ]
  for (const [body, status, reason] of bad) {
    const answer = await post(body)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.equal(answer.body.reason, reason)
    assert.equal(answer.body.status, status)
  }
  const text = await post('hello', { 'Content-Type': 'text/plain' })
  assert.equal(text.status, 415)
})

test('paths and methods that are not there are told apart', async () => {
  const get = await world.request('GET', `/v1/twins/${twin.id}/turns`, { key: twin.key })
  assert.equal(get.status, 405)
  const upgrade = await world.request('GET', `/v1/twins/${twin.id}/session`, { key: twin.key })
  assert.equal(upgrade.status, 426)
  assert.equal((await world.request('GET', '/nothing')).status, 404)
  assert.equal((await world.request('GET', '/v1/twins/UPPER/turns', { key: twin.key })).status, 404)
})

test('bytes that are not HTTP are answered with 400', async () => {
  const { hostname, port } = new URL(world.gateway.url)
  const socket = connect(Number(port), hostname)
  socket.end('\x16\x03\x01 this is not HTTP\r\n\r\n')
  const chunks = []
  for await (const chunk of socket) chunks.push(chunk)
  assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1.1 400 /)
})

test('a document with mistakes is refused with the pointer of each, and nothing changes', async () => {
  const before = await world.admin('GET', `/api/tenants/${twin.id}`)
  const answer = await world.admin('PUT', `/api/tenants/${twin.id}`, {
    policy: 'no_such_policy_here',
    colour: 'red',
    policy_config: { limits: { monthly_hard_limit_usd: 5 }, rate: { per_second: 0 }, color: 1 },
  })
  assert.equal(answer.status, 400)
  for (const pointer of [
    '/colour',
    '/policy_config/limits/monthly_hard_limit_usd',
    '/policy_config/rate/per_second',
    '/policy_config/color',
  ]) {
    assert.ok(answer.body.detail.includes(pointer), `${pointer} in ${answer.body.detail}`)
  }
  assert.deepEqual((await world.admin('GET', `/api/tenants/${twin.id}`)).body, before.body)
  const policy = await world.admin('PUT', `/api/tenants/${twin.id}`, { policy: 'no_such_policy' })
  assert.equal(policy.status, 400)
  assert.match(policy.body.detail, /no_such_policy/)
})

test('the gateway is well after all that', async () => {
  assert.equal((await world.turn(twin)).status, 200)
  assert.equal((await world.request('GET', '/readyz')).body.ready, true)
})

// A client whose connection breaks comes back to its session: nothing is missed, nothing is run or
// billed twice, and nobody else can.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { Session, World, compareWithBill, run, sleep, bin, until } from '../harness.mjs'
import { Issuer } from '../issuer.mjs'

const RICH = { policy_config: { limits: { monthly_hard_limit_usd: '100' } } }
const SLOW = ['--token-ms', '20', '--media-speed', '10']
const WINDOW_S = 3

let issuer, world
before(async () => {
  issuer = await new Issuer().listen()
  issuer.addKey('eddsa', 'EdDSA')
  const env = { TWIN_RESUME_S: String(WINDOW_S), ...issuer.env() }
  world = await World.start({ simulator: SLOW, env })
})
after(async () => {
  await world.stop()
  issuer.close()
})

// Opens a connection for a session that is to be taken up; `query` in place of the usual.
function comeBack(twin, { key = twin.key, format = 'json', query = '?resume=1' } = {}) {
  const url = world.gateway.url.replace('http', 'ws') + `/v1/twins/${twin.id}/session${query}`
  return new Session(url, key, { format })
}

async function resume(twin, token, lastSeq, options) {
  const session = comeBack(twin, options)
  await once(session.socket, 'open')
  session.send({ type: 'resume', id: 'back', token, last_seq: lastSeq })
  return session
}

const seqs = frames => frames.map(frame => frame.seq)
const upTo = last => Array.from({ length: last }, (_, i) => i + 1)
const spoken = frames =>
  frames
    .filter(frame => frame.type === 'output.text')
    .map(frame => frame.delta)
    .join('')

// A session in the middle of an answer, of which `frames` have come, and its connection is cut.
async function cut(twin, text, { format = 'json', pieces = 5 } = {}) {
  const session = world.session(twin, { format })
  const frames = []
  session.socket.on('message', () => frames.push(session.frames.at(-1)))
  const started = await session.started()
  session.turn('t', text)
  const piece = frame => frame.type === 'output.text'
  await until(() => frames.filter(piece).length >= pieces, 'the answer has begun')
  session.socket.terminate()
  await once(session.socket, 'close')
  return { started, token: started.resume_token, frames, id: started.session_id }
}

for (const [format, other] of [
  ['json', 'json'],
  ['msgpack', 'json'],
]) {
  test(`what came while the connection was broken comes after it, ${format} then ${other}`, async () => {
    const twin = await world.twin(`back-${format}-${other}`, RICH)
    const before = await world.calls('openai')
    const broken = await cut(twin, '[tokens:60] tell me', { format })
    const last = broken.frames.at(-1).seq
    const session = await resume(twin, broken.token, last, { format: other })
    const done = await session.frame('turn.done', 't')
    const ended = await session.end()
    const all = [...broken.frames, ...session.frames, done, ended].sort((a, b) => a.seq - b.seq)
    assert.deepEqual(seqs(all), upTo(ended.seq))
    assert.ok(all.every(frame => frame.session_id === broken.id))
    assert.equal(spoken(all).trim().split(/\s+/).length, 60)
    assert.equal(ended.bill.turns, 1)
    assert.equal((await world.calls('openai')) - before, 1)
    assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 1)
    await compareWithBill(assert, world, twin, '0.01')
  })
}

test('speech goes on while nobody listens, and none of it is lost', async () => {
  const twin = await world.twin('speech', RICH)
  const first = world.session(twin, { mode: 'voice', format: 'msgpack' })
  const started = await first.started()
  first.turn('t', '[tokens:23] say it')
  const heard = [await first.frame('output.audio', 't')]
  first.socket.terminate()
  await once(first.socket, 'close')
  heard.push(...first.frames.filter(frame => frame.type === 'output.audio'))
  const last = Math.max(heard.at(-1).seq, ...seqs(first.frames))
  const spoke = async () => (await world.audit(twin, 'BILLING_EVENT')).length === 2
  await until(spoke, 'it has been said, and paid')
  const second = await resume(twin, started.resume_token, last, { format: 'msgpack' })
  const done = await second.frame('turn.done', 't')
  heard.push(...second.frames.filter(frame => frame.type === 'output.audio'))
  const rate = Number(/rate=(\d+)/.exec(heard[0].format)[1])
  const bytes = heard.reduce((sum, frame) => sum + frame.data.length, 0)
  assert.ok(bytes > 270000, `${bytes} bytes of speech`)
  assert.ok(Math.abs((bytes / (rate * 2)) * 1000 - done.usage.media_ms) < 2, `${bytes}`)
  await second.end()
})

test('more than is kept cannot be resumed, and the answer is billed once', async () => {
  const twin = await world.twin('too-much', RICH)
  const first = world.session(twin, { mode: 'voice' })
  const started = await first.started()
  first.turn('t', '[tokens:60] say it')
  const { seq } = await first.frame('output.audio', 't')
  first.socket.terminate()
  const spoke = async () => (await world.audit(twin, 'BILLING_EVENT')).length === 2
  await until(spoke, 'it has been said, and paid')
  assert.match(
    await refused(await resume(twin, started.resume_token, seq)),
    /more was missed than is kept/,
  )
  await compareWithBill(assert, world, twin, '0.01')
})

test('a client that lost frames is sent those, and again if it asks again', async () => {
  const twin = await world.twin('lost', RICH)
  const broken = await cut(twin, '[tokens:20] tell me')
  let session = await resume(twin, broken.token, 1)
  await session.frame('turn.done', 't')
  assert.deepEqual(seqs(session.frames).slice(0, 5), [2, 3, 4, 5, 6])
  session.socket.terminate()
  session = await resume(twin, broken.token, 0)
  await session.frame('session.started')
  session.turn('u', '[tokens:3] and now?')
  await session.frame('turn.done', 'u')
  assert.equal((await session.end()).bill.turns, 2)
})

test('frames sent behind resume are worked on in the session that was resumed', async () => {
  const twin = await world.twin('eager', RICH)
  const broken = await cut(twin, '[tokens:10] tell me')
  const session = comeBack(twin)
  await once(session.socket, 'open')
  session.send({ type: 'resume', token: broken.token, last_seq: broken.frames.at(-1).seq })
  session.turn('u', '[tokens:3] and now?')
  session.send({ type: 'interrupt' })
  const done = await session.frame('turn.done', 'u')
  assert.equal(done.session_id, broken.id)
  await session.end()
})

test('without ?resume=1 a new session is begun, and left when the old one is found', async () => {
  const twin = await world.twin('plain', RICH)
  const broken = await cut(twin, '[tokens:30] tell me')
  const session = await resume(twin, broken.token, broken.frames.at(-1).seq, { query: '' })
  const stray = await session.frame('session.started')
  assert.notEqual(stray.session_id, broken.id)
  await session.frame('turn.done', 't')
  const ended = await session.end()
  assert.equal(ended.session_id, broken.id)
  assert.ok(session.frames.every(frame => frame.session_id === broken.id))
  const { body } = await world.admin('GET', `/api/tenants/${twin.id}/sessions`)
  assert.deepEqual(body.sessions, [])
})

test('a session that is resumed leaves its former connection, with 4409', async () => {
  const twin = await world.twin('replaced', RICH)
  const first = world.session(twin, {})
  const started = await first.started()
  const second = await resume(twin, started.resume_token, started.seq)
  assert.equal((await first.closed).code, 4409)
  second.turn('t', '[tokens:3] hello')
  assert.equal((await second.frame('turn.done', 't')).session_id, started.session_id)
  await second.end()
})

test('when nothing was missed, a usage frame says that the session goes on', async () => {
  const twin = await world.twin('nothing-missed', RICH)
  const first = world.session(twin, {})
  const started = await first.started()
  first.socket.terminate()
  const second = await resume(twin, started.resume_token, started.seq)
  const usage = await second.frame('usage')
  assert.equal(usage.seq, started.seq + 1)
  await second.end()
})

async function refused(session) {
  const { problem, fatal } = await session.frame('error')
  assert.equal(problem.reason, 'resume_unavailable')
  assert.equal(fatal, true)
  assert.equal((await session.closed).code, 4404)
  return problem.detail
}

test('another key of the twin, another twin, and a wrong token are all told the same', async () => {
  const twin = await world.twin('mine', RICH)
  const stranger = await world.twin('not-mine', RICH)
  const second = (await world.admin('POST', '/api/tenants/mine/keys')).body.key
  const broken = await cut(twin, '[tokens:5] tell me', { pieces: 2 })
  const [id, secret] = broken.token.split('.')
  const flipped = `${id}.${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`
  const told = [
    await refused(await resume(twin, broken.token, 1, { key: second })),
    await refused(await resume(stranger, broken.token, 1)),
    await refused(await resume(twin, flipped, 1)),
    await refused(await resume(twin, `ses_${'0'.repeat(26)}.${secret}`, 1)),
    await refused(await resume(twin, id, 1)),
    await refused(await resume(twin, 'x'.repeat(4000), 1)),
  ]
  assert.equal(new Set(told).size, 1, told.join('\n'))
  const mine = await resume(twin, broken.token, 1) // none of them has hurt it
  await mine.frame('turn.done', 't')
  await mine.end()
})

test('what cannot be replayed is said, and a new session goes on where there is one', async () => {
  const twin = await world.twin('too-late', RICH)
  const broken = await cut(twin, '[tokens:3] tell me', { pieces: 2 })
  assert.match(await refused(await resume(twin, broken.token, 1000)), /last_seq is 1000/)
  const session = await resume(twin, 'nonsense', 1, { query: '' })
  const error = await session.frame('error', 'back')
  assert.equal(error.problem.reason, 'resume_unavailable')
  assert.equal(error.fatal, false)
  session.turn('t', '[tokens:3] hello')
  await session.frame('turn.done', 't')
  session.send({ type: 'resume', id: 'late', token: broken.token, last_seq: 1 })
  assert.match((await session.frame('error', 'late')).problem.detail, /first frame/)
  await session.end()
})

test('a connection for a resume wants one first, and refuses a bad frame as it is', async () => {
  const twin = await world.twin('wants-one', RICH)
  const session = comeBack(twin)
  await once(session.socket, 'open')
  session.turn('t', 'hello')
  assert.match(await refused(session), /first frame/)
  const bad = comeBack(twin)
  await once(bad.socket, 'open')
  bad.send({ type: 'resume', token: 'x', last_seq: -1 })
  assert.equal((await bad.frame('error')).problem.reason, 'invalid_field')
  assert.equal((await bad.closed).code, 4400)
})

async function gone(twin, at = world) {
  await until(
    async () => {
      const { body } = await at.admin('GET', `/api/tenants/${twin.id}/sessions`)
      return body.sessions.length === 0
    },
    'the session has ended',
    20000,
  )
}

test('a client that does not come back is waited for as long as was said, and no longer', async () => {
  const twin = await world.twin('never', RICH)
  const before = performance.now()
  const broken = await cut(twin, '[tokens:5] tell me', { pieces: 2 })
  await gone(twin)
  assert.ok(performance.now() - before >= WINDOW_S * 1000 - 50)
  await refused(await resume(twin, broken.token, 1))
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.units.interactions, 1) // the answer was finished meanwhile, once
  await compareWithBill(assert, world, twin, '0.01')
})

test('a client that says goodbye is not waited for', async () => {
  const twin = await world.twin('goodbye', RICH)
  const session = world.session(twin, {})
  const started = await session.started()
  session.socket.close(1000)
  await session.closed
  await gone(twin)
  await refused(await resume(twin, started.resume_token, 1))
})

test('a key that is removed ends a session whose client is away', async () => {
  const twin = await world.twin('revoked', RICH)
  const broken = await cut(twin, '[tokens:200] tell me')
  const second = (await world.admin('POST', '/api/tenants/revoked/keys')).body.key
  await world.admin('DELETE', `/api/tenants/revoked/keys/${twin.keyId}`)
  await gone(twin)
  await refused(await resume(twin, broken.token, 1, { key: second }))
  await compareWithBill(assert, world, twin, '0.01')
})

test('money is cut as ever while the client is away', async t => {
  const patient = await World.start({ env: { TWIN_RESUME_S: '30' } })
  t.after(() => patient.stop())
  const twin = await patient.twin('poor', {
    policy_config: { limits: { monthly_hard_limit_usd: '0.05' } }, // eight seconds of video
  })
  const session = patient.session(twin, { mode: 'video' })
  const started = await session.started()
  assert.ok(started.join, JSON.stringify(started))
  session.socket.terminate()
  await gone(twin, patient)
  const [entry] = await patient.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.outcome, 'cost_limit', JSON.stringify(entry))
  const balance = await patient.balance(twin)
  assert.equal(balance.held_usd, '0.000000000')
  assert.ok(Number(balance.posted_usd) <= 0.05, balance.posted_usd)
  await compareWithBill(assert, patient, twin)
})

test("a session ends with the token it was last resumed with, which is the same person's", async () => {
  const twin = await world.twin('tokens', RICH)
  const until4s = { exp: Math.floor(Date.now() / 1000) + 4 }
  const first = world.session(twin, { key: issuer.token('eddsa', twin.id, until4s) })
  const started = await first.started()
  const { resume_token: token, seq } = started
  const another = issuer.token('eddsa', twin.id, { sub: 'another' })
  await refused(await resume(twin, token, seq, { key: another }))
  const renewed = await resume(twin, token, seq, { key: issuer.token('eddsa', twin.id) })
  await sleep(5000) // the first one has ended
  renewed.turn('t', '[tokens:2] still here')
  await renewed.frame('turn.done', 't')
  const until3s = { exp: Math.floor(Date.now() / 1000) + 3 }
  const last = await resume(twin, token, renewed.frames.at(-1)?.seq ?? seq, {
    key: issuer.token('eddsa', twin.id, until3s),
  })
  assert.equal((await last.frame('session.ended')).reason, 'TIMEOUT')
  assert.equal((await last.closed).code, 4401)
})

test('with TWIN_RESUME_S=0 a session ends with its connection', async t => {
  const strict = await World.start({ env: { TWIN_RESUME_S: '0' } })
  t.after(() => strict.stop())
  const twin = await strict.twin('strict', RICH)
  const session = strict.session(twin, {})
  const started = await session.started()
  assert.equal(started.resume_token, undefined)
  session.socket.terminate()
  await gone(twin, strict)
})

test('a window that makes no sense is refused', async () => {
  for (const bad of ['601', '-1', 'soon', '']) {
    const env = { TWIN_RESUME_S: bad }
    const { code, stdout, stderr } = await run(`${bin}/twin-gateway`, ['check'], { env })
    assert.equal(code, 1, bad)
    assert.match(stdout + stderr, /TWIN_RESUME_S: must be a number from 0/)
  }
})

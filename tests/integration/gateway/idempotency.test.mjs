// A turn that is asked for again under its Idempotency-Key is answered again, and neither carried
// out nor billed twice: also after its connection broke, its gateway crashed, or on another one.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { World, compareWithBill, sleep, until } from '../harness.mjs'

const RICH = { policy_config: { limits: { monthly_hard_limit_usd: '100' } } }

let world
before(async () => {
  world = await World.start({ simulator: ['--token-ms', '20', '--media-speed', '10'] })
})
after(() => world.stop())

// One turn: { status, replayed, text }, the body as it came.
async function ask(twin, key, body, options = {}) {
  const answer = await fetch(`${world.gateway.url}/v1/twins/${twin.id}/turns`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${options.credential ?? twin.key}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': key,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    retryAfter: answer.headers.get('retry-after'),
    replayed: answer.headers.get('idempotent-replayed') === 'true',
    text: await answer.text(),
  }
}

const reason = answer => JSON.parse(answer.text).reason
const legsOf = async twin => (await world.audit(twin, 'BILLING_EVENT')).length

async function isAnsweredAgain(twin, key, body, first) {
  const again = await ask(twin, key, body)
  assert.equal(again.status, first.status)
  assert.equal(again.text, first.text)
  assert.equal(again.type, first.type)
  assert.equal(again.replayed, true)
}

test('the same key and body are answered again, byte for byte, also after a crash', async () => {
  const twin = await world.twin('again', RICH)
  const key = randomUUID()
  const body = { text: '[tokens:12] tell "me" \\ [cost_usd] "cost_usd":"7"' }
  const calls = await world.calls('openai')
  const first = await ask(twin, key, body)
  assert.equal(first.status, 200, first.text)
  assert.equal(first.replayed, false)
  assert.equal(JSON.parse(first.text).cost_usd, '0.010000000')
  await isAnsweredAgain(twin, key, body, first)
  await world.crashAndRestart()
  await isAnsweredAgain(twin, key, body, first)
  assert.equal((await world.calls('openai')) - calls, 1)
  assert.equal(await legsOf(twin), 1)
  const [leg] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(leg.cost_amount, JSON.parse(first.text).cost_usd)
  await compareWithBill(assert, world, twin, '0.01')
})

test('speech is answered again, with its samples and the price of both legs', async () => {
  const twin = await world.twin('spoken', RICH)
  const body = { text: '[tokens:15] say it', mode: 'voice' }
  const first = await ask(twin, 'spoken', body)
  const answer = JSON.parse(first.text)
  assert.equal(answer.mode, 'voice')
  const bytes = Buffer.from(answer.audio.data, 'base64').length
  const rate = Number(/rate=(\d+)/.exec(answer.audio.format)[1])
  assert.ok(Math.abs((bytes / (rate * 2)) * 1000 - answer.usage.media_ms) < 2)
  await isAnsweredAgain(twin, 'spoken', body, first)
  const legs = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(legs.length, 2)
  const sum = legs.reduce((total, leg) => total + Math.round(Number(leg.cost_amount) * 1e9), 0)
  assert.equal(Math.round(Number(answer.cost_usd) * 1e9), sum)
  await compareWithBill(assert, world, twin, '0.01')
})

test('a key with another body, of another caller or twin, and a bad key', async () => {
  const twin = await world.twin('scoped', RICH)
  const stranger = await world.twin('scoped-too', RICH)
  const second = (await world.admin('POST', '/api/tenants/scoped/keys')).body.key
  const body = { text: '[tokens:1] hi' }
  const first = await ask(twin, 'k', body)
  const other = await ask(twin, 'k', { text: '[tokens:2] hi' })
  assert.equal(other.status, 422)
  assert.equal(reason(other), 'idempotency_key_reused')
  for (const [who, options] of [
    [twin, { credential: second }],
    [stranger, {}],
  ]) {
    const answer = await ask(who, 'k', body, options)
    assert.equal(answer.status, 200)
    assert.equal(answer.replayed, false)
    assert.notEqual(answer.text, first.text)
  }
  assert.equal(reason(await ask(twin, 'x'.repeat(256), body)), 'invalid_field')
  assert.equal((await ask(twin, 'x'.repeat(255), body)).status, 200)
  assert.equal(await legsOf(twin), 3)
})

test('a key whose turn is at work is told so, and many at once are one turn', async () => {
  const twin = await world.twin('at-once', RICH)
  const body = { text: '[tokens:20] tell me' }
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(twin, 'k', body)))
  const done = answers.filter(answer => answer.status === 200)
  assert.equal(done.length, 1)
  for (const answer of answers.filter(each => each.status !== 200)) {
    assert.equal(answer.status, 409)
    assert.equal(reason(answer), 'idempotency_key_in_use')
    assert.equal(answer.retryAfter, '1')
  }
  await isAnsweredAgain(twin, 'k', body, done[0])
  assert.equal(await legsOf(twin), 1)
})

// Sends a turn and cuts the connection when its vendor has been called.
async function askAndVanish(twin, key, body) {
  const calls = await world.calls('openai')
  const { hostname, port } = new URL(world.gateway.url)
  const socket = connect(Number(port), hostname)
  const text = JSON.stringify(body)
  socket.on('error', () => {})
  socket.write(
    `POST /v1/twins/${twin.id}/turns HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${twin.key}\r\n` +
      `Content-Type: application/json\r\nIdempotency-Key: ${key}\r\n` +
      `Content-Length: ${text.length}\r\n\r\n${text}`,
  )
  await until(async () => (await world.calls('openai')) > calls, 'the vendor to be called')
  return socket
}

test('a client whose connection broke gets the answer it paid for', async () => {
  const twin = await world.twin('vanished', RICH)
  const body = { text: '[tokens:40] tell me' }
  const calls = await world.calls('openai')
  const socket = await askAndVanish(twin, 'k', body)
  socket.resetAndDestroy()
  assert.equal((await ask(twin, 'k', body)).status, 409)
  let again
  await until(async () => (again = await ask(twin, 'k', body)).status !== 409, 'the answer')
  assert.equal(again.status, 200)
  assert.equal(again.replayed, true)
  assert.equal(JSON.parse(again.text).text.trim().split(/\s+/).length, 40)
  assert.equal((await world.calls('openai')) - calls, 1)
  assert.equal(await legsOf(twin), 1)
})

test('a turn in the middle of which the gateway died is not carried out again, and it is said', async () => {
  const twin = await world.twin('died', RICH)
  const body = { text: '[tokens:200] tell me' }
  const calls = await world.calls('openai')
  await askAndVanish(twin, 'k', body)
  await world.crashAndRestart()
  for (let i = 0; i < 2; i++) {
    const again = await ask(twin, 'k', body)
    assert.equal(again.status, 410)
    assert.equal(reason(again), 'idempotency_key_lost')
    const [leg] = await world.audit(twin, 'BILLING_EVENT')
    assert.ok(JSON.parse(again.text).detail.includes(`${leg.cost_amount} USD`), again.text)
  }
  assert.equal((await world.calls('openai')) - calls, 1)
  assert.equal(reason(await ask(twin, 'k', { text: 'other' })), 'idempotency_key_reused')
})

test('what was refused and cost nothing may be asked for again', async () => {
  const twin = await world.twin('refused', {
    policy_config: {
      ...RICH.policy_config,
      rate: { per_second: 1, burst: 1, queue: 0, max_wait_ms: 0 },
    },
  })
  const body = { text: '[tokens:1] hi' }
  assert.equal((await ask(twin, 'a', body)).status, 200)
  const refused = await ask(twin, 'b', body)
  assert.equal(refused.status, 429)
  await sleep(Number(refused.retryAfter) * 1000 + 100)
  const again = await ask(twin, 'b', body)
  assert.equal(again.status, 200, again.text)
  assert.equal(again.replayed, false)
})

test('what a vendor refused at no cost may be asked for again', async () => {
  const twin = await world.twin('failed', RICH)
  const body = { text: '[tokens:1] hi' }
  await world.fault('openai', 'server_error', 3)
  const failed = await ask(twin, 'k', body)
  assert.ok(failed.status >= 500, failed.text)
  await until(async () => (await ask(twin, 'k', body)).status === 200, 'an answer')
  await compareWithBill(assert, world, twin, '0.01')
})

test('a twin that sleeps still gives the answers it has given', async () => {
  const twin = await world.twin('sleeps', {
    policy_config: { limits: { monthly_hard_limit_usd: '0.01' } },
  })
  const body = { text: '[tokens:1] hi' }
  const first = await ask(twin, 'k', body)
  assert.equal(first.status, 200, first.text)
  assert.equal((await ask(twin, 'l', body)).status, 402)
  await isAnsweredAgain(twin, 'k', body, first)
})

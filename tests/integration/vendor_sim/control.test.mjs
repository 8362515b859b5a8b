// The simulator's own paths: what tests rely on as the truth.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { startSimulator, until } from './simulator.mjs'

let sim

before(async () => {
  sim = await startSimulator()
})
after(() => sim.stop())
beforeEach(() => sim.reset())

const models = id =>
  fetch(`${sim.base}/openai/v1/models`, {
    headers: { authorization: 'Bearer k', 'X-Request-Id': id },
  })

test('each call is listed with its request id, status and time', async () => {
  const before_ms = Date.now()
  await (await models('leg-a')).text()
  const { total, by_vendor, calls } = await sim.calls()
  assert.equal(total, 1)
  assert.deepEqual(by_vendor, { openai: 1, cartesia: 0, tavus: 0 })
  const [{ at_ms, ...call }] = calls
  assert.deepEqual(call, {
    vendor: 'openai',
    method: 'GET',
    path: '/openai/v1/models',
    request_id: 'leg-a',
    status: 200,
  })
  assert.ok(at_ms >= before_ms - 1000 && at_ms <= Date.now() + 1000)
})

test('a call that is never answered is counted too, without a status', async () => {
  await sim.fault({ kind: 'hang', count: 1 })
  const abort = new AbortController()
  const hanging = fetch(`${sim.base}/tavus/v2/conversations`, { signal: abort.signal })
  const { calls } = await until(
    answer => answer.total === 1,
    () => sim.calls(),
  )
  assert.equal(calls[0].status, 0)
  abort.abort()
  await assert.rejects(hanging)
})

test('faults are added, counted down, and cleared', async () => {
  assert.equal((await sim.fault({ kind: 'server_error', rate: 1 })).status, 200)
  assert.equal((await models('x')).status, 500)
  assert.equal((await sim.call('DELETE', '/_fault')).status, 200)
  assert.equal((await models('x')).status, 200)
  await sim.fault({ kind: 'server_error', rate: '1', count: 2, vendor: 'openai' })
  const statuses = []
  for (let i = 0; i < 3; i++) statuses.push((await models('x')).status)
  assert.deepEqual(statuses, [500, 500, 200])
  await sim.fault({ kind: 'server_error' })
  await sim.fault({})
  assert.equal((await models('x')).status, 200)
})

test('faults that are none are refused in words', async () => {
  for (const rule of [
    { kind: 'nothing' },
    { kind: 'cut', rate: 2 },
    { kind: 'cut', rate: 'x' },
    { kind: 'cut', vendor: 'acme' },
    { kind: 'cut', count: 0 },
    [],
  ]) {
    const { status, body } = await sim.fault(rule)
    assert.equal(status, 400)
    assert.equal(typeof body.error, 'string')
  }
})

test('a slow vendor takes two seconds more', async () => {
  await sim.fault({ kind: 'slow', count: 1 })
  const started = performance.now()
  await (await models('x')).text()
  assert.ok(performance.now() - started >= 1995)
})

test('prices can be read and changed, and a reset restores them', async () => {
  const usual = (await sim.call('GET', '/_prices')).body
  assert.deepEqual(usual, {
    'openai.token_1k': '0.000000000',
    'cartesia.minute': '0.045000000',
    'tavus.minute': '0.370000000',
  })
  const changed = await sim.call('POST', '/_prices', { 'openai.token_1k': '0.002' })
  assert.equal(changed.body['openai.token_1k'], '0.002000000')
  for (const prices of [{ 'acme.minute': '1' }, { 'tavus.minute': 1 }, 'x']) {
    assert.equal((await sim.call('POST', '/_prices', prices)).status, 400)
  }
  await sim.reset()
  assert.deepEqual((await sim.call('GET', '/_prices')).body, usual)
})

test('what began before a reset is not billed after it', async () => {
  const abort = new AbortController()
  const response = await fetch(`${sim.base}/openai/v1/chat/completions`, {
    method: 'POST',
    signal: abort.signal,
    headers: { authorization: 'Bearer k' },
    body: JSON.stringify({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: '[tokens:10000]' }],
    }),
  })
  const reader = response.body.getReader()
  await reader.read()
  await sim.reset()
  await reader.read()
  await reader.read()
  assert.deepEqual((await sim.bill()).legs, {})
  abort.abort()
})

test("other paths are refused, and counted as nobody's", async () => {
  assert.equal((await sim.call('GET', '/acme/v1')).status, 404)
  assert.equal((await sim.call('GET', '/_nothing')).status, 400)
  assert.equal((await sim.calls()).total, 0)
})

test('the log has a line of JSON for each call', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twin-sim-'))
  const file = join(folder, 'calls.log')
  const logging = await startSimulator('--log', file)
  await (
    await fetch(`${logging.base}/cartesia/voices`, { headers: { 'X-Request-Id': 'leg-log' } })
  ).text()
  await logging.stop()
  const [line] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(text => JSON.parse(text))
  assert.equal(line.request_id, 'leg-log')
  assert.equal(line.status, 401)
  rmSync(folder, { recursive: true })
})

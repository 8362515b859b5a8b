// The official client of OpenAI, pointed at the simulator.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import OpenAI from 'openai'
import { startSimulator, until } from './simulator.mjs'

let sim, client

before(async () => {
  sim = await startSimulator('--token-ms', '1')
  client = new OpenAI({ apiKey: 'sk-good', baseURL: `${sim.base}/openai/v1`, maxRetries: 0 })
})
after(() => sim.stop())
beforeEach(() => sim.reset())

const ask = (text, more = {}) => ({
  model: 'gpt-4.1-mini',
  messages: [{ role: 'user', content: text }],
  ...more,
})

test('a whole completion has text, reason and usage', async () => {
  const completion = await client.chat.completions.create(ask('what is the time?'))
  const [choice] = completion.choices
  assert.equal(completion.object, 'chat.completion')
  assert.equal(completion.model, 'gpt-4.1-mini')
  assert.match(choice.message.content, /You said "what is the time\?"/)
  assert.equal(choice.finish_reason, 'stop')
  assert.equal(completion.usage.prompt_tokens, Math.ceil(17 / 4) + 4)
  assert.equal(completion.usage.completion_tokens, choice.message.content.split(' ').length)
})

test('a stream is the same words one by one, and its usage comes last', async () => {
  const stream = await client.chat.completions.create(
    ask('[tokens:25]', { stream: true, stream_options: { include_usage: true } }),
    { headers: { 'X-Request-Id': 'leg-stream' } },
  )
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  const deltas = chunks.filter(chunk => chunk.choices[0]?.delta.content)
  assert.equal(deltas.length, 25)
  assert.equal(deltas[0].choices[0].delta.role, 'assistant')
  const last = chunks.at(-1)
  assert.deepEqual(last.choices, [])
  assert.deepEqual(last.usage, { prompt_tokens: 7, completion_tokens: 25, total_tokens: 32 })
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop')
  const bill = await sim.bill()
  assert.deepEqual(bill.legs['leg-stream'], {
    vendor: 'openai',
    usd: '0.000000000',
    media_ms: 0,
    tokens: 32,
  })
})

test('without include_usage no chunk has any', async () => {
  const stream = await client.chat.completions.create(ask('[tokens:2]', { stream: true }))
  for await (const chunk of stream) assert.equal(chunk.usage, undefined)
})

test('the limit on tokens is kept', async () => {
  const completion = await client.chat.completions.create(
    ask('[tokens:50]', { max_completion_tokens: 7 }),
  )
  assert.equal(completion.usage.completion_tokens, 7)
  assert.equal(completion.choices[0].finish_reason, 'length')
})

test('a persona that speaks Spanish is answered in Spanish', async () => {
  const completion = await client.chat.completions.create({
    model: 'gpt-4.1-mini',
    messages: [
      { role: 'developer', content: 'Responde siempre en español.' },
      { role: 'user', content: [{ type: 'text', text: '¿quién ganó?' }] },
    ],
  })
  assert.match(completion.choices[0].message.content, /Me dices «¿quién ganó\?»/)
})

test('a stream that is left is billed as far as it went', async () => {
  await sim.reset()
  const stream = await client.chat.completions.create(ask('[tokens:100000]', { stream: true }), {
    headers: { 'X-Request-Id': 'leg-left' },
  })
  let seen = 0
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content) seen++
    if (seen === 20) break
  }
  await new Promise(resolve => setTimeout(resolve, 100))
  const before = (await sim.bill()).legs['leg-left'].tokens
  await new Promise(resolve => setTimeout(resolve, 100))
  const { tokens } = (await sim.bill()).legs['leg-left']
  assert.equal(tokens, before, 'nothing is made for nobody')
  assert.ok(tokens >= 28 && tokens < 1000, `${tokens} tokens`)
})

test('models are listed', async () => {
  const names = []
  for await (const model of client.models.list()) names.push(model.id)
  assert.ok(names.includes('gpt-4.1-mini'))
})

test('a bad key, a bad body and an unknown path are refused as the vendor does', async () => {
  const stranger = new OpenAI({ apiKey: 'bad-key', baseURL: client.baseURL, maxRetries: 0 })
  await assert.rejects(stranger.models.list(), error => {
    assert.ok(error instanceof OpenAI.AuthenticationError)
    return error.code === 'invalid_api_key'
  })
  await assert.rejects(client.chat.completions.create({ model: 'm', messages: [] }), {
    status: 400,
    type: 'invalid_request_error',
  })
  await assert.rejects(client.embeddings.create({ model: 'm', input: 'x' }), { status: 404 })
  const { total, by_vendor, calls } = await sim.calls()
  assert.equal(total, 3)
  assert.equal(by_vendor.openai, 3)
  assert.deepEqual(
    calls.map(call => call.status),
    [401, 400, 404],
  )
  assert.equal((await sim.bill()).total_usd, '0.000000000')
})

test("faults come in the vendor's own words", async () => {
  const cases = [
    ['rate_limit', { status: 429, code: 'rate_limit_exceeded' }],
    ['out_of_money', { status: 429, code: 'insufficient_quota' }],
    ['server_error', { status: 500 }],
    ['refuse', { status: 401 }],
  ]
  for (const [kind, wanted] of cases) {
    await sim.fault({ vendor: 'openai', kind, count: 1 })
    await assert.rejects(client.chat.completions.create(ask('hi')), wanted)
  }
  await client.chat.completions.create(ask('[tokens:1]'))
})

test("the client's own retry sees a rate limit pass", async () => {
  await sim.fault({ vendor: 'openai', kind: 'rate_limit', count: 1 })
  const patient = new OpenAI({ apiKey: 'k', baseURL: client.baseURL, maxRetries: 1 })
  await patient.chat.completions.create(ask('[tokens:1]'))
  assert.deepEqual(
    (await sim.calls()).calls.map(call => call.status),
    [429, 200],
  )
})

test('a stream can be cut or stop in its middle', async () => {
  await sim.fault({ kind: 'cut', count: 1 })
  const words = []
  await assert.rejects(async () => {
    const stream = await client.chat.completions.create(ask('[tokens:10]', { stream: true }))
    for await (const chunk of stream) words.push(chunk.choices[0].delta.content)
  })
  assert.equal(words.length, 5)
  await sim.fault({ kind: 'hang_mid', count: 1 })
  const abort = new AbortController()
  const stream = await client.chat.completions.create(ask('[tokens:10]', { stream: true }), {
    signal: abort.signal,
    headers: { 'X-Request-Id': 'leg-hangs' },
  })
  let seen = 0
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content && ++seen === 5) setTimeout(() => abort.abort(), 50)
  }
  assert.equal(seen, 5)
  const bill = await until(
    ({ legs }) => legs['leg-hangs']?.tokens === 12,
    () => sim.bill(),
  )
  assert.equal(bill.legs['leg-hangs'].tokens, 12, 'the prompt and what was said')
})

test('garbage is a 200 that is none', async () => {
  await sim.fault({ kind: 'garbage', count: 1 })
  const response = await fetch(`${sim.base}/openai/v1/models`, {
    headers: { authorization: 'Bearer k' },
  })
  assert.equal(response.status, 200)
  await assert.rejects(response.json())
})

// The official client of Cartesia, pointed at the simulator.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { createServer } from 'node:tls'
import WebSocket from 'ws'
import { startSimulator, until } from './simulator.mjs'

// As an ES module the package does not find ws, and has no WebSockets in Node 20.
const { default: Cartesia } = createRequire(import.meta.url)('@cartesia/cartesia-js')

const SPEED = 20
const BYTES_PER_MS = 48 // s16le, 24 kHz, mono
const raw = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24000 }
const voice = { mode: 'id', id: 'f786b574-daa5-4673-aa0c-cbe3e8534c02' }
const speak = (transcript, output_format = raw) => ({
  model_id: 'sonic-3',
  transcript,
  voice,
  output_format,
})
const leg = id => ({ headers: { 'X-Request-Id': id } })

let sim, client

before(async () => {
  sim = await startSimulator('--media-speed', String(SPEED))
  client = new Cartesia({ apiKey: 'key', baseURL: `${sim.base}/cartesia`, maxRetries: 0 })
})
after(() => sim.stop())
beforeEach(() => sim.reset())

test('bytes are as long as their text, and billed by the minute', async () => {
  const response = await client.tts.generate(speak('x'.repeat(100)), leg('leg-bytes'))
  const audio = new Uint8Array(await response.arrayBuffer())
  assert.equal(audio.length, 6000 * BYTES_PER_MS)
  const bill = await sim.bill()
  assert.deepEqual(bill.legs['leg-bytes'], {
    vendor: 'cartesia',
    usd: '0.004500000',
    media_ms: 6000,
    tokens: 0,
  })
  assert.equal(bill.total_usd, '0.004500000')
})

test('a wav file has the header of its length', async () => {
  const wav = { container: 'wav', encoding: 'pcm_s16le', sample_rate: 16000 }
  const response = await client.tts.generate(speak('hello', wav))
  const audio = Buffer.from(await response.arrayBuffer())
  assert.equal(audio.toString('latin1', 0, 4), 'RIFF')
  assert.equal(audio.readUInt32LE(40), audio.length - 44)
  assert.equal(audio.length, 44 + 300 * 32)
})

test('media time runs at its speed', async () => {
  const started = performance.now()
  const response = await client.tts.generate(speak('x'.repeat(200)))
  await response.arrayBuffer()
  const elapsed_ms = performance.now() - started
  assert.ok(elapsed_ms >= (12000 - 100) / SPEED - 5, `${elapsed_ms} ms for 12 s of speech`)
})

test('events are chunks and then done', async () => {
  const kinds = []
  let bytes = 0
  const stream = await client.tts.generateSSE({ ...speak('hello'), context_id: 'c-1' })
  for await (const event of stream) {
    kinds.push(event.type)
    assert.equal(event.context_id, 'c-1')
    if (event.type === 'chunk') bytes += Buffer.from(event.data, 'base64').length
  }
  assert.deepEqual(kinds, ['chunk', 'chunk', 'chunk', 'done'])
  assert.equal(bytes, 300 * BYTES_PER_MS)
})

test('voices are listed and shown', async () => {
  const names = []
  for await (const one of client.voices.list({ limit: 2 })) names.push(one.name)
  assert.deepEqual(names, ['Katie', 'Ronald', 'Pedro'], 'page by page')
  const shown = await client.voices.get(voice.id)
  assert.equal(shown.id, voice.id)
})

test('a bad key, a bad body and a missing version are refused as the vendor does', async () => {
  const stranger = new Cartesia({ apiKey: 'bad', baseURL: client.baseURL, maxRetries: 0 })
  await assert.rejects(stranger.tts.generate(speak('hi')), { status: 401 })
  await assert.rejects(client.tts.generate({ ...speak('hi'), voice: {} }), { status: 400 })
  await assert.rejects(client.tts.generate(speak('')), { status: 400 })
  const response = await fetch(`${client.baseURL}/voices`, { headers: { 'X-API-Key': 'k' } })
  assert.equal(response.status, 400)
  const body = await response.json()
  assert.match(body.message, /Cartesia-Version/)
  assert.ok('error_code' in body && 'request_id' in body)
})

test("faults come in the vendor's own words", async () => {
  const cases = [
    ['rate_limit', { status: 429 }],
    ['out_of_money', { status: 402 }],
    ['server_error', { status: 500 }],
  ]
  for (const [kind, wanted] of cases) {
    await sim.fault({ vendor: 'cartesia', kind, count: 1 })
    await assert.rejects(client.tts.generate(speak('hi')), wanted)
  }
})

// Asks for speech over a plain socket, half-closes after `stop_at` bytes of it, and reads to the
// end. Resolves with the bytes of audio.
function readUntilStopped(path, id, transcript, stop_at) {
  const body = JSON.stringify(speak(transcript))
  const head =
    `POST /cartesia${path} HTTP/1.1\r\nHost: sim\r\nX-API-Key: key\r\n` +
    `Cartesia-Version: 2026-03-01\r\nX-Request-Id: ${id}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  return new Promise((resolve, reject) => {
    const socket = connect({ port: sim.port, host: '127.0.0.1', allowHalfOpen: true })
    const pieces = []
    let size = 0
    socket.on('error', reject)
    socket.on('data', piece => {
      pieces.push(piece)
      size += piece.length
      if (size >= stop_at) socket.end()
    })
    socket.on('end', () => resolve(audioIn(Buffer.concat(pieces))))
    socket.write(head + body)
  })
}

// The bytes of a chunked answer's body.
function audioIn(answer) {
  let at = answer.indexOf('\r\n\r\n') + 4
  let bytes = 0
  for (;;) {
    const end = answer.indexOf('\r\n', at)
    const size = end < 0 ? 0 : Number.parseInt(answer.toString('latin1', at, end), 16)
    if (!size) return bytes
    bytes += Math.min(size, answer.length - end - 2)
    at = end + 2 + size + 2
  }
}

test('a stream stopped anywhere is billed to the byte', async () => {
  for (const stop_at of [1, 5000, 20000, 100000, 333333]) {
    const id = `leg-stop-${stop_at}`
    const bytes = await readUntilStopped('/tts/bytes', id, 'y'.repeat(1000), stop_at)
    assert.ok(bytes < 60000 * BYTES_PER_MS, 'it was stopped')
    const bill = await sim.bill()
    assert.equal((bill.legs[id]?.media_ms ?? 0) * BYTES_PER_MS, bytes)
  }
})

// Hours of speech a second, so that the buffers in between are full at once.
const FAST = 1000
const BUFFERED_MS_MAX = (16 << 20) / BYTES_PER_MS
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

// Runs with a fast simulator and a client of it that has asked for speech and reads nothing yet.
async function withLazyClient(run) {
  const fast = await startSimulator('--media-speed', String(FAST))
  const socket = connect({ port: fast.port, host: '127.0.0.1', allowHalfOpen: true })
  const body = JSON.stringify(speak('z'.repeat(400000)))
  socket.pause()
  socket.write(
    'POST /cartesia/tts/bytes HTTP/1.1\r\nHost: sim\r\nX-API-Key: key\r\n' +
      'Cartesia-Version: 2026-03-01\r\nX-Request-Id: leg\r\n' +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  )
  const billed = async () => (await fast.bill()).legs.leg?.media_ms ?? 0
  let last = -1
  await until(
    now => (now > 0 && now === last) || ((last = now), false),
    async () => {
      await wait(50)
      return billed()
    },
  )
  try {
    await run({ socket, billed, blocked_ms: last })
  } finally {
    socket.destroy()
    await fast.stop()
  }
}

test('nothing is made for a client that does not read', async () => {
  await withLazyClient(async ({ billed, blocked_ms }) => {
    assert.ok(blocked_ms < BUFFERED_MS_MAX, `${blocked_ms} ms`)
    await wait(300)
    assert.equal(await billed(), blocked_ms)
  })
})

test('what was not made while nobody read is not made up for later', async () => {
  await withLazyClient(async ({ socket, billed, blocked_ms }) => {
    await wait(1500)
    const started = performance.now()
    socket.resume()
    await wait(200)
    socket.pause()
    const made_ms = (await billed()) - blocked_ms
    const elapsed_ms = performance.now() - started
    assert.ok(made_ms <= elapsed_ms * FAST + BUFFERED_MS_MAX, `${made_ms} in ${elapsed_ms} ms`)
  })
})

test('a stop while nothing was read is billed to the byte as well', async () => {
  await withLazyClient(async ({ socket, billed }) => {
    const pieces = []
    socket.on('data', piece => pieces.push(piece))
    socket.end()
    socket.resume()
    await new Promise(resolve => socket.on('end', resolve))
    assert.equal(audioIn(Buffer.concat(pieces)), (await billed()) * BYTES_PER_MS)
  })
})

// The client of the vendor insists on TLS there: a small proxy puts it in front.
async function withTls(run) {
  const folder = mkdtempSync(join(tmpdir(), 'twin-sim-'))
  const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(folder, name))
  execFileSync(
    'openssl',
    [
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' '),
      ...['-subj', '/CN=localhost', '-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  )
  const proxy = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, socket => {
    const inner = connect({ port: sim.port, host: '127.0.0.1' })
    socket.pipe(inner).pipe(socket)
    for (const side of [socket, inner]) side.on('error', () => {})
  })
  await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve))
  try {
    await run(`https://127.0.0.1:${proxy.address().port}/cartesia`)
  } finally {
    proxy.close()
    rmSync(folder, { recursive: true })
  }
}

test('the official WebSocket client streams several texts in one context', async () => {
  await withTls(async baseURL => {
    const secure = new Cartesia({ apiKey: 'key', baseURL })
    const socket = await secure.tts.websocket({
      rejectUnauthorized: false,
      headers: { 'X-Request-Id': 'leg-socket' },
    })
    const context = socket.context({ model_id: 'sonic-3', voice, output_format: raw })
    await context.push({ transcript: 'hello ' })
    await context.push({ transcript: 'there', flush: true })
    await context.no_more_inputs()
    const kinds = {}
    let bytes = 0
    for await (const event of context.receive({ timeout: 5000 })) {
      kinds[event.type] = (kinds[event.type] ?? 0) + 1
      if (event.type === 'chunk') bytes += (event.audio ?? Buffer.from(event.data, 'base64')).length
    }
    assert.equal(kinds.done, 1)
    assert.equal(kinds.flush_done, 1)
    assert.equal(bytes, 660 * BYTES_PER_MS)
    socket.close()
    const bill = await sim.bill()
    assert.equal(bill.legs['leg-socket'].media_ms, 660)
  })
})

// Opens a plain WebSocket; `next` resolves with its next event.
async function openSocket(id) {
  const socket = new WebSocket(
    `${sim.base.replace('http', 'ws')}/cartesia/tts/websocket?cartesia_version=2026-03-01`,
    { headers: { 'X-API-Key': 'key', 'X-Request-Id': id } },
  )
  const events = []
  const waiting = []
  socket.on('message', text => {
    const event = JSON.parse(text)
    if (waiting.length > 0) waiting.shift()(event)
    else events.push(event)
  })
  await new Promise((resolve, reject) => {
    socket.on('open', resolve)
    socket.on('error', reject)
  })
  const next = () =>
    events.length > 0
      ? Promise.resolve(events.shift())
      : new Promise(resolve => waiting.push(resolve))
  const ask = message => socket.send(JSON.stringify(message))
  return { socket, next, ask }
}

test('contexts of one connection are spoken side by side', async () => {
  const { socket, next, ask } = await openSocket('leg-many')
  ask({ ...speak('a'.repeat(40)), context_id: 'a' })
  ask({ ...speak('b'.repeat(40)), context_id: 'b' })
  const seen = []
  for (let done = 0; done < 2;) {
    const event = await next()
    seen.push(event.context_id)
    if (event.type === 'done') done++
  }
  assert.ok(seen.indexOf('b') < seen.lastIndexOf('a'), 'they take turns')
  assert.equal((await sim.bill()).legs['leg-many'].media_ms, 4800)
  socket.close()
})

test('a cancelled context says nothing more, and the connection lives on', async () => {
  const { socket, next, ask } = await openSocket('leg-cancel')
  ask({ ...speak('c'.repeat(5000)), context_id: 'long' })
  await next()
  ask({ context_id: 'long', cancel: true })
  ask({ ...speak('ok'), context_id: 'short' })
  let event
  do event = await next()
  while (event.type !== 'done')
  assert.equal(event.context_id, 'short')
  const { media_ms } = (await sim.bill()).legs['leg-cancel']
  await new Promise(resolve => setTimeout(resolve, 100))
  assert.equal((await sim.bill()).legs['leg-cancel'].media_ms, media_ms)
  socket.close()
})

test('messages that are none get an error, and too many contexts too', async () => {
  const { socket, next, ask } = await openSocket('leg-errors')
  socket.send('nonsense')
  assert.equal((await next()).type, 'error')
  ask({ context_id: 'x', transcript: 'no model' })
  const error = await next()
  assert.equal(error.status_code, 400)
  assert.equal(error.context_id, 'x')
  for (let i = 0; i < 17; i++) ask({ ...speak('', raw), context_id: `c${i}`, continue: true })
  assert.equal((await next()).error_code, 'concurrency_limited')
  socket.close()
})

test('a connection that closes ends its contexts', async () => {
  const { socket, next, ask } = await openSocket('leg-gone')
  ask({ ...speak('d'.repeat(5000)), context_id: 'd' })
  await next()
  socket.terminate()
  const legs = async () => (await sim.bill()).legs['leg-gone'].media_ms
  let last = -1
  await until(now => now === last || ((last = now), false), legs)
  assert.ok((await legs()) < 300000)
})

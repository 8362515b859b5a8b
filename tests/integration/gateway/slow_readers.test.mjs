// Clients that do not read, or hardly write, over real sockets: what they hold is bounded, and
// nobody else waits for them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { World, sleep, until } from '../harness.mjs'

const READERS = 8
const RICH = { policy_config: { limits: { monthly_hard_limit_usd: '100' } } }

let world, twin, asleep
before(async () => {
  world = await World.start({ simulator: ['--media-speed', '1000'] })
  twin = await world.twin('patient', RICH)
  asleep = world.session(twin, { mode: 'voice' })
  await asleep.started()
  asleep.socket._socket.pause()
  asleep.turn('long', '[tokens:1000] speak')
})
after(() => world.stop())

function residentBytes() {
  const [, pages] = readFileSync(`/proc/${world.gateway.pid}/statm`, 'latin1').split(' ')
  return Number(pages) * 4096
}

test('clients that stop reading slow their vendors down, and get every byte when they go on', async () => {
  const sessions = Array.from({ length: READERS }, () => world.session(twin, { mode: 'voice' }))
  await Promise.all(sessions.map(session => session.started()))
  // What the first turn warms up is not theirs.
  assert.equal((await world.turn(twin, { text: '[tokens:3] hello', mode: 'voice' })).status, 200)
  const before = residentBytes()
  for (const session of sessions) {
    session.socket._socket.pause()
    session.turn('long', '[tokens:1000] speak')
  }
  await sleep(3000)
  const grown = (residentBytes() - before) / READERS
  assert.ok(grown < 1500000, `${grown} bytes for each`)
  // Somebody who reads is served meanwhile.
  assert.equal((await world.turn(twin, { text: '[tokens:3] hello', mode: 'text' })).status, 200)
  for (const session of sessions) session.socket._socket.resume()
  for (const session of sessions) {
    const done = await session.frame('turn.done', 'long', 60000)
    const audio = session.frames.filter(({ type }) => type === 'output.audio')
    const bytes = audio.reduce((sum, { data }) => sum + Buffer.from(data, 'base64').length, 0)
    // 16-bit samples at 24 kHz: 48 bytes a millisecond.
    assert.equal(Math.floor(bytes / 48), done.usage.media_ms)
    const numbers = session.frames.map(({ seq }) => seq)
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    )
    assert.equal((await session.end()).reason, 'USER_EXIT')
  }
})

const pauses = () => world.metric('twin_reads_paused_total')

test('a client that sends faster than its session takes is read on later, and nothing is lost', async () => {
  const before = await pauses()
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  const turns = Array.from({ length: 3000 }, (_, i) => `t${i}`)
  session.socket._socket.cork()
  for (const id of turns) session.turn(id, '[tokens:1] hello')
  session.socket._socket.uncork()
  const ends = new Set(['turn.done', 'turn.refused'])
  const answered = () => session.frames.filter(({ type }) => ends.has(type)).map(({ id }) => id)
  await until(() => answered().length >= turns.length, 'an end of every turn')
  assert.deepEqual(answered().sort(), turns.sort())
  assert.ok((await pauses()) > before, 'its socket was left unread meanwhile')
  assert.equal((await session.end()).reason, 'USER_EXIT')
})

test('of long frames less is taken at a time', async () => {
  const before = await pauses()
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  const long = 'x'.repeat(100000)
  for (let i = 0; i < 8; i++) session.send({ type: 'no such frame', id: `f${i}`, long })
  for (let i = 0; i < 8; i++) await session.frame('error', `f${i}`)
  assert.ok((await pauses()) >= before + 8, 'one of them is more than may wait')
  assert.equal((await session.end()).reason, 'USER_EXIT')
})

test('what a client sends before its session has begun waits in its socket', async () => {
  const before = residentBytes()
  await world.fault('tavus', 'hang') // its room does not come, nor does it begin without
  const session = world.session(await world.twin('eager', RICH), { mode: 'video' })
  await once(session.socket, 'open')
  const long = 'x'.repeat(60000)
  const accepted = () => sent * long.length - session.socket.bufferedAmount
  let sent = 0
  for (const end = Date.now() + 2000; Date.now() < end && accepted() < 1 << 28; await sleep(1))
    for (; session.socket.bufferedAmount < 1 << 22; sent++) session.turn(`t${sent}`, long)
  assert.ok(!session.frames.some(({ type }) => type === 'session.started'), 'it has not begun')
  // What the kernel keeps for two sockets is no more than this.
  assert.ok(accepted() < 1 << 25, `${accepted()} bytes were taken`)
  assert.ok(residentBytes() - before < 1 << 22, `it has grown by ${residentBytes() - before}`)
  session.socket.terminate()
})

test('a header that drips is cut off after five seconds, whatever came of it', async () => {
  const { hostname, port } = new URL(world.gateway.url)
  const dripping = Array.from({ length: 50 }, () => connect({ host: hostname, port }))
  const heard = dripping.map(() => '')
  dripping.forEach((socket, i) => {
    socket.on('error', () => {})
    socket.on('data', data => {
      heard[i] += data
    })
    socket.write('GET /healthz HTTP/1.1\r\nHost: h\r\nX-Slow: ')
  })
  const closed = Promise.all(dripping.map(socket => once(socket, 'close')))
  const drip = setInterval(() => dripping.forEach(socket => socket.write('x')), 100)
  assert.equal((await world.request('GET', '/healthz')).status, 200)
  await until(() => heard.every(text => text.startsWith('HTTP/1.1 408 ')), 'every refusal')
  clearInterval(drip)
  dripping.forEach(socket => socket.end())
  await closed
})

test('a client that takes nothing for half a minute is cut, and counted', async () => {
  const cut = 'twin_websockets_refused_total{reason="try_again_later"}'
  await until(async () => (await world.metric(cut)) === 1, 'the cut', 60000)
  asleep.socket._socket.resume()
  const { code } = await asleep.closed
  assert.ok([1006, 1013].includes(code), `${code}`) // our side does not wait for long
})

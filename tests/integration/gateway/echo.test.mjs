// /debug/echo, to people with an ordinary client, and to those who do not read.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'
import { World, bin, run, sleep, until } from '../harness.mjs'
import { RawWebSocket, OP, frame } from '../raw_websocket.mjs'

let world, url
before(async () => {
  world = await World.start({ env: { TWIN_DEBUG_ECHO: '1' } })
  url = `${world.gateway.url.replace('http', 'ws')}/debug/echo`
})
after(() => world.stop())

function check(env) {
  return run(join(bin, 'twin-gateway'), ['check', '--print'], {
    env: { TWIN_POLICY_DIR: world.environment.TWIN_POLICY_DIR, ...env },
  })
}

test('texts and bytes of every size come back to an ordinary client', async () => {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 32 << 20 })
  await once(socket, 'open')
  const closed = once(socket, 'close').then(([code]) => ({ code }))
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20]) {
    for (const payload of ['*'.repeat(size), Buffer.alloc(size, 0xfe)]) {
      socket.send(payload)
      const answer = await Promise.race([once(socket, 'message'), closed])
      assert.ok(Array.isArray(answer), `closed with ${answer.code}`)
      const [data, isBinary] = answer
      assert.equal(isBinary, typeof payload !== 'string')
      assert.ok(Buffer.from(payload).equals(data), `${size} bytes`)
    }
  }
  socket.close(1000)
  assert.equal((await closed).code, 1000)
})

test('a message above 16 MiB is refused with 1009 as soon as it is announced', async () => {
  const socket = await RawWebSocket.open(url)
  const head = frame(OP.binary, Buffer.alloc((16 << 20) + 1)).subarray(0, 14)
  await socket.send(head)
  assert.deepEqual(await socket.said(), ['8:1009'])
})

test('a message that finds the queue full waits for it and comes behind', async () => {
  const socket = await RawWebSocket.open(url)
  const sizes = [16 << 20, 10, 0, 1000]
  await socket.send(Buffer.concat(sizes.map(size => frame(OP.binary, Buffer.alloc(size)))))
  await until(() => socket.frames.length === sizes.length, 'all of them')
  assert.deepEqual(
    socket.frames.map(({ payload }) => payload.length),
    sizes,
  )
  socket.drop()
})

test('compression that is offered is not taken', async () => {
  const socket = new WebSocket(url, { perMessageDeflate: true })
  await once(socket, 'open')
  assert.equal(socket.extensions, '')
  socket.terminate()
})

test('a connection that has served a request may become an echo', async () => {
  const { hostname, port } = new URL(world.gateway.url)
  const socket = connect({ host: hostname, port })
  let heard = ''
  socket.on('data', data => {
    heard += data.toString('latin1')
  })
  socket.write('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')
  await until(() => heard.includes('HTTP/1.1 200'), 'an answer')
  socket.write(
    'GET /debug/echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await until(() => heard.includes('HTTP/1.1 101'), 'the upgrade')
  socket.write(frame(OP.text, 'again'))
  await until(() => heard.endsWith('\x81\x05again'), 'the echo')
  socket.destroy()
})

test('a plain request is told to upgrade', async () => {
  const answer = await world.request('GET', '/debug/echo')
  assert.equal(answer.status, 426)
  assert.equal(answer.headers.get('upgrade'), 'websocket')
  assert.equal(answer.body.status, 426)
})

test('a client that sends and does not read is not read either, and gets all when it does', async () => {
  const socket = await RawWebSocket.open(url)
  socket.socket.pause()
  const piece = frame(OP.binary, Buffer.alloc(1 << 20, 7))
  // What the kernel's buffers and the queue hold is far below this.
  const count = 64
  for (let i = 0; i < count; i++) socket.socket.write(piece)
  await sleep(300)
  assert.ok(socket.socket.writableLength > 32 << 20, `${socket.socket.writableLength} unsent`)
  socket.socket.resume()
  await until(() => socket.frames.length === count, 'all the echoes')
  assert.ok(socket.frames.every(({ payload }) => payload.length === 1 << 20))
  socket.drop()
})

test('it is off unless asked for, and refused on an address others can reach', async () => {
  const loopback = await check({ TWIN_DEBUG_ECHO: '1', TWIN_LISTEN: '127.0.0.1:0,[::1]:0' })
  assert.equal(loopback.code, 0, loopback.stderr)
  assert.match(loopback.stdout, /debug_echo +=\s1/)
  for (const listen of ['0.0.0.0:0', '127.0.0.1:0,[::]:0', '192.0.2.1:80']) {
    const open = await check({ TWIN_DEBUG_ECHO: '1', TWIN_LISTEN: listen })
    assert.equal(open.code, 1, listen)
    assert.match(open.stderr, /TWIN_DEBUG_ECHO: .*loopback/)
  }
  const odd = await check({ TWIN_DEBUG_ECHO: 'yes' })
  assert.equal(odd.code, 1)
  const off = await World.start()
  assert.equal((await off.request('GET', '/debug/echo')).status, 404)
  await off.stop()
})

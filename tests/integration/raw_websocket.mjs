// A WebSocket client that can say what no library lets one say: any bits, any opcode, any cut.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'

export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }

// One frame, masked unless told otherwise.
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true } = {}) {
  const bytes = Buffer.from(payload)
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const mark = masked ? 0x80 : 0
  if (bytes.length < 126) head.push(mark | bytes.length)
  else if (bytes.length < 65536) head.push(mark | 126, bytes.length >> 8, bytes.length & 255)
  else {
    const size = Buffer.alloc(8)
    size.writeBigUInt64BE(BigInt(bytes.length))
    head.push(mark | 127, ...size)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), bytes])
  const mask = randomBytes(4)
  for (let i = 0; i < bytes.length; i++) bytes[i] ^= mask[i & 3]
  return Buffer.concat([Buffer.from(head), mask, bytes])
}

// A close frame's payload.
export function closing(code, reason = '') {
  const bytes = Buffer.from([code >> 8, code & 255])
  return Buffer.concat([bytes, Buffer.from(reason)])
}

// A message as "opcode:payload"; a long one as its size and digest, so that a difference can be read.
export function told(opcode, payload) {
  const bytes = Buffer.from(payload)
  if (bytes.length <= 256) return `${opcode}:${bytes.toString('latin1')}`
  return `${opcode}:${bytes.length} bytes, ${createHash('sha1').update(bytes).digest('hex')}`
}

// Takes the first whole frame of a server off `bytes`: { opcode, fin, payload, rest }, or undefined.
function take(bytes) {
  if (bytes.length < 2) return undefined
  let size = bytes[1] & 127
  let at = 2
  if (size === 126) {
    if (bytes.length < 4) return undefined
    size = bytes.readUInt16BE(2)
    at = 4
  } else if (size === 127) {
    if (bytes.length < 10) return undefined
    size = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  if (bytes.length < at + size) return undefined
  return {
    opcode: bytes[0] & 15,
    fin: bytes[0] >= 128,
    payload: bytes.subarray(at, at + size),
    rest: bytes.subarray(at + size),
  }
}

export class RawWebSocket {
  static async open(url, { localAddress } = {}) {
    const { hostname, port, pathname } = new URL(url)
    const self = new RawWebSocket()
    self.frames = []
    self.unread = []
    self.socket = connect({ host: hostname, port, localAddress, noDelay: true })
    self.gone = once(self.socket, 'close')
    self.socket.on('error', () => {})
    await once(self.socket, 'connect')
    const key = randomBytes(16).toString('base64')
    self.socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
    await self.#handshake(key)
    self.socket.on('data', data => self.#read(data))
    return self
  }

  async #handshake(key) {
    let head = ''
    while (!head.endsWith('\r\n\r\n')) {
      const [data] = await once(this.socket, 'data')
      head += data.toString('latin1')
    }
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(accept)) throw new Error(head)
  }

  #read(data) {
    this.unread.push(data)
    let bytes = Buffer.concat(this.unread)
    for (let next = take(bytes); next !== undefined; next = take(bytes)) {
      this.frames.push({ opcode: next.opcode, fin: next.fin, payload: next.payload })
      bytes = next.rest
    }
    this.unread = [bytes]
  }

  // Writes `bytes` in pieces of that size, each a packet of its own as far as the kernel lets us.
  async send(bytes, pieceBytes = bytes.length) {
    for (let at = 0; at < bytes.length && !this.socket.destroyed; at += pieceBytes) {
      this.socket.write(bytes.subarray(at, at + pieceBytes))
      if (pieceBytes < bytes.length) await new Promise(resolve => setImmediate(resolve))
    }
  }

  // Everything the server has sent until it closed, as told() tells it; a close as "8:code".
  async said() {
    await this.gone
    return this.frames.map(({ opcode, payload }) => {
      if (opcode !== OP.close) return told(opcode, payload)
      return payload.length < 2 ? '8:' : `8:${payload.readUInt16BE(0)}`
    })
  }

  drop() {
    this.socket.destroy()
  }
}

// The case groups 1 to 7 and 10 of the Autobahn test suite, against /debug/echo: each case whole,
// and each cut into single bytes. A case is what the client sends and what it hears until the end;
// where the server has no reason to close, the client does.
// Source: github.com/crossbario/autobahn-testsuite, the list of cases.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'
import { OP, RawWebSocket, closing, frame, told } from '../raw_websocket.mjs'

const { continuation, text, binary, close, ping, pong } = OP
const PARALLEL = 32
const part = { fin: false }
const BYE = frame(close, closing(1000))

let world, url
before(async () => {
  world = await World.start({ env: { TWIN_DEBUG_ECHO: '1' } })
  url = `${world.gateway.url}/debug/echo`
})
after(() => world.stop())

// What the server says, as RawWebSocket.said() gives it.
const echoed = (payload, opcode = text) => told(opcode, payload)
const ponged = payload => echoed(payload, pong)
const ended = code => `8:${code}`
const breach = [ended(1002)]

// name: [frames, what is heard]. BYE is added where nothing heard is a close.
const cases = {}

for (const [group, opcode, letter] of [
  ['1.1', text, '*'],
  ['1.2', binary, '\xfe'],
]) {
  for (const size of [0, 125, 126, 127, 128, 65535, 65536]) {
    const payload = Buffer.from(letter.repeat(size), 'latin1')
    cases[`${group} a message of ${size} bytes`] = [
      [frame(opcode, payload)],
      [echoed(payload, opcode)],
    ]
  }
}

Object.assign(cases, {
  '2.1 a ping without payload': [[frame(ping)], [ponged('')]],
  '2.2 a ping with a text': [[frame(ping, 'Hello, world!')], [ponged('Hello, world!')]],
  '2.3 a ping with bytes that are no text': [
    [frame(ping, Buffer.from([0, 255, 254, 253, 252, 251, 0, 255]))],
    [ponged(Buffer.from([0, 255, 254, 253, 252, 251, 0, 255]))],
  ],
  '2.4 a ping of 125 bytes': [
    [frame(ping, Buffer.alloc(125, 254))],
    [ponged(Buffer.alloc(125, 254))],
  ],
  '2.5 a ping of 126 bytes': [[frame(ping, Buffer.alloc(126, 254))], breach],
  '2.7 a pong nobody asked for': [[frame(pong)], []],
  '2.8 a pong nobody asked for, with payload': [[frame(pong, 'unsolicited')], []],
  '2.9 a pong, then a ping': [[frame(pong, 'x'), frame(ping, 'ping')], [ponged('ping')]],
  '2.10 ten pings': [
    Array.from({ length: 10 }, (_, i) => frame(ping, `payload-${i}`)),
    Array.from({ length: 10 }, (_, i) => ponged(`payload-${i}`)),
  ],
  '3.5 a reserved bit in a binary message': [[frame(binary, 'x', { rsv: 5 })], breach],
  '3.6 a reserved bit in a ping': [[frame(ping, 'x', { rsv: 6 })], breach],
  '3.7 a reserved bit in a close': [[frame(close, closing(1000), { rsv: 7 })], breach],
})
for (const rsv of [1, 2, 3, 4]) {
  cases[`3.${rsv} reserved bits ${rsv} after a good message, a ping behind`] = [
    [frame(text, 'good'), frame(text, 'bad', { rsv }), frame(ping)],
    [echoed('good'), ended(1002)],
  ]
}

for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  const group = opcode < 8 ? '4.1' : '4.2'
  cases[`${group} reserved opcode ${opcode}`] = [[frame(opcode)], breach]
  cases[`${group} reserved opcode ${opcode} after a good message, a ping behind`] = [
    [frame(text, 'good'), frame(opcode, 'reserved'), frame(ping)],
    [echoed('good'), ended(1002)],
  ]
}

const two = [frame(text, 'fragment1', part), frame(continuation, 'fragment2')]
Object.assign(cases, {
  '5.1 a ping in two fragments': [[frame(ping, '1', part), frame(continuation, '2')], breach],
  '5.2 a pong in two fragments': [[frame(pong, '1', part), frame(continuation, '2')], breach],
  '5.3 a text in two fragments': [two, [echoed('fragment1fragment2')]],
  '5.6 a ping between fragments': [
    [two[0], frame(ping, 'ping'), two[1]],
    [ponged('ping'), echoed('fragment1fragment2')],
  ],
  '5.9 a final continuation of nothing': [
    [frame(continuation, 'non-continuation'), frame(text, 'Hello')],
    breach,
  ],
  '5.12 a continuation of nothing': [
    [frame(continuation, 'non-continuation', part), frame(text, 'Hello')],
    breach,
  ],
  '5.15 a continuation of nothing after a message': [
    [...two, frame(continuation, 'x', part), frame(text, 'Hello')],
    [echoed('fragment1fragment2'), ended(1002)],
  ],
  '5.16 a continuation of nothing before fragments': [
    [frame(continuation, 'x', part), frame(text, 'f1', part), frame(continuation, 'f2')],
    breach,
  ],
  '5.18 a new message within another': [[frame(text, '1', part), frame(text, '2')], breach],
  '5.19 five fragments, pings between them': [
    [
      frame(text, 'f1', part),
      frame(continuation, 'f2', part),
      frame(ping, 'p1'),
      frame(continuation, 'f3', part),
      frame(continuation, 'f4', part),
      frame(ping, 'p2'),
      frame(continuation, 'f5'),
    ],
    [ponged('p1'), ponged('p2'), echoed('f1f2f3f4f5')],
  ],
  '10.1 a message of 65536 bytes in fragments of 1300': [
    Array.from({ length: 51 }, (_, i) =>
      frame(i === 0 ? text : continuation, '*'.repeat(Math.min(1300, 65536 - i * 1300)), {
        fin: i === 50,
      }),
    ),
    [echoed('*'.repeat(65536))],
  ],
})

// A text in frames of so many bytes, the cuts anywhere.
function fragments(bytes, size) {
  const count = Math.max(1, Math.ceil(bytes.length / size))
  return Array.from({ length: count }, (_, i) =>
    frame(i === 0 ? text : continuation, bytes.subarray(i * size, (i + 1) * size), {
      fin: i === count - 1,
    }),
  )
}

const hex = digits => Buffer.from(digits.replaceAll(' ', ''), 'hex')
const valid = {
  '6.2 Hello-µ@ßöäüàá-UTF-8!!': Buffer.from('Hello-µ@ßöäüàá-UTF-8!!'),
  '6.5 κόσμε': Buffer.from('κόσμε'),
  '6.7 the first number of each length': Buffer.from('\0\u0080\u0800\u{10000}'),
  '6.9 the last number of each length': Buffer.from('\u007f\u07ff\uffff\u{10ffff}'),
  '6.11 around the surrogates': Buffer.from('\ud7ff\ue000\ufffd'),
  '6.22 numbers that are no characters': Buffer.from('\ufffe\uffff\u{1fffe}\u{10ffff}'),
  '6.23 the replacement character': Buffer.from('\ufffd'),
}
const invalid = {
  '6.3 a surrogate in the middle': hex('cebae1bdb9cf83cebceda080656469746564'),
  '6.6 an unfinished character': hex('cebae1bdb9cf83cebcce'),
  '6.8 five bytes': hex('f888808080'),
  '6.8 six bytes': hex('fc8480808080'),
  '6.10 beyond the last number': hex('f7bfbfbf'),
  '6.10 just beyond it': hex('f4908080'),
  '6.12 a continuation alone': hex('80'),
  '6.12 many of them': hex('80bf80bf80bf'),
  '6.13 two bytes, the second missing': hex('c020 c120 df20'),
  '6.13 three bytes, the second missing': hex('e020'),
  '6.14 the last byte missing': hex('efbf'),
  '6.15 unfinished ones in a row': hex('c0e080f08080f8808080'),
  '6.16 a byte that never occurs': hex('fe'),
  '6.16 another': hex('ff'),
  '6.17 a long form of /': hex('c0af'),
  '6.17 a longer one': hex('e080af'),
  '6.17 the longest': hex('f08080af'),
  '6.18 the largest long forms': hex('c1bf'),
  '6.18 of three bytes': hex('e09fbf'),
  '6.18 of four': hex('f08fbfbf'),
  '6.19 a long form of NUL': hex('c080'),
  '6.20 the first surrogate': hex('eda080'),
  '6.20 the last': hex('edbfbf'),
  '6.21 two of them as a pair': hex('eda080edb080'),
}
for (const [name, bytes] of Object.entries(valid)) {
  cases[name] = [[frame(text, bytes)], [echoed(bytes)]]
  cases[`${name}, a frame for each byte`] = [fragments(bytes, 1), [echoed(bytes)]]
}
for (const [name, bytes] of Object.entries(invalid)) {
  cases[name] = [[frame(text, bytes)], [ended(1007)]]
  cases[`${name}, a frame for each byte`] = [fragments(bytes, 1), [ended(1007)]]
  cases[`${name}, as binary`] = [[frame(binary, bytes)], [echoed(bytes, binary)]]
}
const good = hex('cebae1bdb9cf83cebcce')
const bad = hex('b5f490808065646974')
const announced = frame(text, Buffer.concat([good, bad, Buffer.alloc(1000, 'x')]))
Object.assign(cases, {
  '6.1 an empty text in three fragments': [
    [frame(text, '', part), frame(continuation, '', part), frame(continuation)],
    [echoed('')],
  ],
  '6.1 a text between two empty fragments': [
    [frame(text, '', part), frame(continuation, 'middle', part), frame(continuation)],
    [echoed('middle')],
  ],
  '6.4 fail fast: wrong in the second fragment, the last never comes': [
    [frame(text, good, part), frame(continuation, bad, part)],
    [ended(1007)],
  ],
  '6.4 fail fast: wrong in the middle of a frame, its rest never comes': [
    [announced.subarray(0, 8 + good.length + 5)],
    [ended(1007)],
  ],
})

const quarter = 'BAsd7&jh23'.repeat(26215)
Object.assign(cases, {
  '7.1 a close after a message': [
    [frame(text, 'Hello'), BYE],
    [echoed('Hello'), ended(1000)],
  ],
  '7.1 two closes': [[BYE, BYE], [ended(1000)]],
  '7.1 a ping after a close': [[BYE, frame(ping)], [ended(1000)]],
  '7.1 a message after a close': [[BYE, frame(text, 'late')], [ended(1000)]],
  '7.1 a close between fragments': [[two[0], BYE, two[1]], [ended(1000)]],
  '7.1 a close behind 256 KiB': [
    [frame(text, quarter), frame(text, 'Hello'), BYE],
    [echoed(quarter), echoed('Hello'), ended(1000)],
  ],
  '7.3 a close without payload': [[frame(close)], ['8:']],
  '7.3 a close with half a code': [[frame(close, 'x')], breach],
  '7.3 a close with a reason': [[frame(close, closing(1000, 'Hello'))], [ended(1000)]],
  '7.3 a reason of 123 bytes': [[frame(close, closing(1000, '*'.repeat(123)))], [ended(1000)]],
  '7.3 a reason of 124 bytes': [[frame(close, closing(1000, '*'.repeat(124)))], breach],
  '7.5 a reason that is no text': [
    [frame(close, closing(1000, hex('cebae1bdb9eda080')))],
    [ended(1007)],
  ],
})
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
  cases[`7.7 close with ${code}`] = [[frame(close, closing(code))], [ended(code)]]
for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
  cases[`7.9 close with ${code}, which is not for the wire`] = [
    [frame(close, closing(code))],
    breach,
  ]
cases['a frame that is not masked'] = [[frame(text, 'x', { masked: false })], breach]

async function play(frames, heard, pieceBytes) {
  const isEnded = heard.some(item => item.startsWith('8:'))
  const socket = await RawWebSocket.open(url)
  await socket.send(Buffer.concat(isEnded ? frames : [...frames, BYE]), pieceBytes)
  assert.deepEqual(await socket.said(), isEnded ? heard : [...heard, ended(1000)])
}

// Many connections at a time: a case is mostly waiting.
async function playAll(pieceBytesOf) {
  const left = Object.entries(cases)
  const worker = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [name, [frames, heard]] = next
      await play(frames, heard, pieceBytesOf(Buffer.concat(frames).length)).catch(error => {
        error.message = `${name}: ${error.message.slice(0, 500)}`
        throw error
      })
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}

test(`${Object.keys(cases).length} cases, each sent at once`, () => playAll(size => size))

test('the same cases, each byte by byte, large ones in pieces of 997', () =>
  playAll(size => (size > 4096 ? 997 : 1)))

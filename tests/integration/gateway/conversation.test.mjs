// What a chat's vendor is sent of the conversation: the persona, the last 24 messages in their
// order, each as it was said, and the turn's own text.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

const HISTORY_MAX = 24
const PERSONA = { instructions: 'Be "brief".\nAlways.' }

// A vendor that remembers what it was asked, and says it back in capitals, or at length.
const LONG = 'Goal! '.repeat(1000)
const asked = []
const vendor = createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { messages } = JSON.parse(body)
  asked.push(messages)
  const text = messages.at(-1).content
  const content = text === 'tell' ? LONG : text.toUpperCase()
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const chunk of [{ choices: [{ index: 0, delta: { content } }] }, { choices: [], usage }])
    response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  response.end('data: [DONE]\n\n')
})

let world
before(async () => {
  vendor.listen(0, '127.0.0.1')
  await once(vendor, 'listening')
  const base = `http://127.0.0.1:${vendor.address().port}`
  world = await World.start({ env: { TWIN_VENDOR_BASE_OPENAI: base } })
})
after(async () => {
  await world.stop()
  vendor.close()
})

async function talk(name) {
  const twin = await world.twin(name, {
    policy_config: { limits: { monthly_hard_limit_usd: '100' } },
    persona: PERSONA,
  })
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  return session
}

test('a vendor is sent the last messages, each as it was said', async () => {
  const session = await talk('talks')
  const said = []
  for (let turn = 0; turn < 40; turn++) {
    const text = `${turn}: "a"\\\t\n\u0001 ¡golazo! ⚽ ${'x'.repeat((turn * 37) % 400)}`
    session.turn(turn, text)
    await session.frame('turn.done', turn)
    assert.deepEqual(asked.at(-1), [
      { role: 'system', content: PERSONA.instructions },
      ...said.slice(-HISTORY_MAX),
      { role: 'user', content: text },
    ])
    said.push({ role: 'user', content: text }, { role: 'assistant', content: text.toUpperCase() })
  }
  await session.end()
})

// The second turn is paid for before the first one's answer is known to be that long.
test('what was not paid for with a turn is left out, the oldest first', async () => {
  const session = await talk('waits')
  const said = []
  for (let turn = 0; turn < 8; turn++) {
    const text = `${turn}${'y'.repeat(280 + 9 * turn)}`
    session.turn(turn, text)
    await session.frame('turn.done', turn)
    said.push({ role: 'user', content: text }, { role: 'assistant', content: text.toUpperCase() })
  }
  session.turn('first', 'tell')
  session.turn('second', 'and then?')
  await session.frame('turn.done', 'second')
  said.push({ role: 'user', content: 'tell' }, { role: 'assistant', content: LONG })
  const sent = asked.at(-1).slice(1, -1)
  assert.ok(sent.length > 2 && sent.length < said.length, `${sent.length} of ${said.length}`)
  assert.deepEqual(sent, said.slice(-sent.length))
  await session.end()
})

// EV-01: a month's limit admits exactly what it pays for.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

const DOLLAR = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1.00' },
    rate: { per_second: 1000, burst: 1000 },
    prices: { interaction_usd: '0.01', token_1k_usd: '0' },
  },
}

let world
before(async () => {
  world = await World.start()
})
after(() => world.stop())

test('a dollar admits one hundred one-cent turns, and the next is told that the twin sleeps', async () => {
  const twin = await world.twin('dollar', DOLLAR)
  const calls = await world.calls('openai')
  for (let i = 0; i < 100; i++) {
    const answer = await world.turn(twin, { text: '[tokens:1] hello' })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    assert.equal(answer.body.cost_usd, '0.010000000')
    assert.deepEqual(answer.body.usage.interactions, 1)
  }
  const refused = await world.turn(twin)
  assert.equal(refused.status, 402)
  assert.equal(refused.headers.get('content-type'), 'application/problem+json')
  assert.equal(refused.body.title, 'Twin is sleeping')
  assert.equal(refused.body.reason, 'monthly_hard_limit')
  assert.equal((await world.calls('openai')) - calls, 100)
  assert.equal((await world.balance(twin)).posted_usd, '1.000000000')
  assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 100)
})

test('eight clients at once get one hundred turns together', async () => {
  const twin = await world.twin('crowd', DOLLAR)
  const calls = await world.calls('openai')
  const statuses = []
  const client = async () => {
    for (let i = 0; i < 20; i++) statuses.push((await world.turn(twin)).status)
  }
  await Promise.all(Array.from({ length: 8 }, client))
  assert.equal(statuses.filter(status => status === 200).length, 100)
  assert.equal(statuses.filter(status => status === 402).length, 60)
  assert.equal((await world.calls('openai')) - calls, 100)
})

test('eight sessions at once get one hundred turns together', async () => {
  const twin = await world.twin('sessions', DOLLAR)
  const calls = await world.calls('openai')
  const outcomes = []
  const client = async () => {
    const session = world.session(twin, { mode: 'text' })
    await session.started()
    for (let i = 0; i < 20; i++) session.turn(i, 'hello')
    for (let i = 0; i < 20; i++) {
      const end = frame => ['turn.done', 'turn.refused'].includes(frame.type)
      while (!session.frames.some(end)) await new Promise(resolve => setTimeout(resolve, 5))
      outcomes.push(session.frames.splice(session.frames.findIndex(end), 1)[0])
    }
    await session.end()
  }
  await Promise.all(Array.from({ length: 8 }, client))
  assert.equal(outcomes.filter(frame => frame.type === 'turn.done').length, 100)
  assert.ok(
    outcomes
      .filter(frame => frame.type === 'turn.refused')
      .every(frame => frame.problem.reason === 'monthly_hard_limit'),
  )
  assert.equal((await world.calls('openai')) - calls, 100)
})

test('a gateway that is killed in the middle and starts again never admits a hundred-and-first', async () => {
  const twin = await world.twin('killed', DOLLAR)
  const calls = await world.calls('openai')
  let succeeded = 0
  const client = async () => {
    for (let i = 0; i < 15; i++) {
      const answer = await world.turn(twin).catch(() => null)
      succeeded += answer?.status === 200
    }
  }
  for (let life = 0; life < 4; life++) {
    const clients = Promise.all(Array.from({ length: 4 }, client))
    if (life < 3) {
      await new Promise(resolve => setTimeout(resolve, 60))
      await world.crashAndRestart()
    }
    await clients
  }
  for (let i = 0; i < 101; i++) succeeded += (await world.turn(twin)).status === 200
  assert.ok(succeeded <= 100, `${succeeded} succeeded`)
  assert.ok(succeeded >= 80, `${succeeded} succeeded: a crash costs what was under way, no more`)
  assert.ok((await world.calls('openai')) - calls <= 100)
  const balance = await world.balance(twin)
  assert.equal(balance.posted_usd, '1.000000000')
  assert.equal(balance.held_usd, '0.000000000')
  assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 100)
})

// Memory stays flat: what a thousand conversations take is given back to the next thousand.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

// The pools, the allocator and the store's cache grow to their working size first: forty rounds.
const ROUNDS_BEFORE = 45
const ROUNDS = 60
const PER_ROUND = 300

let world
before(async () => {
  world = await World.start()
})
after(() => world.stop())

async function residentKb() {
  const status = await readFile(`/proc/${world.gateway.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1])
}

test('rounds of turns, refusals and sessions do not add up', async () => {
  const twin = await world.twin('flat', {
    policy_config: {
      limits: { monthly_hard_limit_usd: '1000' },
      rate: { per_second: 500, burst: 200, queue: 100, max_wait_ms: 500 },
    },
  })
  const resident = []
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(
      Array.from({ length: PER_ROUND }, () => world.turn(twin, { text: '[tokens:1] hi' })),
    )
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const session = world.session(twin, { mode: 'text' })
        await session.started()
        session.turn(1, '[tokens:3] hi')
        await session.end()
      }),
    )
    resident.push(await residentKb())
  }
  // A leak goes on; the one largest step can be the pools', when more than ever came at once.
  const steps = resident.slice(ROUNDS_BEFORE).map((now, i) => now - resident[ROUNDS_BEFORE - 1 + i])
  const largest = Math.max(...steps)
  const growth = steps.reduce((sum, step) => sum + step) - largest
  assert.ok(growth < 4096, `grew by ${growth} kB after round ${ROUNDS_BEFORE}: ${resident}`)
  assert.ok(largest < 16384, `grew by ${largest} kB in one round: ${resident}`)
})

// Memory stays flat: what a thousand conversations take is given back to the next thousand.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

// The pools and the allocator grow to their working size first; the store's cache goes on to 4 MiB.
const ROUNDS_BEFORE = 6
const ROUNDS = 16
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
  // A leak grows in every round. One that stands out is the pools', when more than ever came at once.
  const steps = resident.slice(ROUNDS_BEFORE).map((now, i) => now - resident[ROUNDS_BEFORE - 1 + i])
  const median = steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)]
  assert.ok(median < 512, `grows by ${median} kB a round: ${resident}`)
  const growth = resident.at(-1) - resident[ROUNDS_BEFORE - 1]
  assert.ok(growth < 32768, `grew by ${growth} kB after round ${ROUNDS_BEFORE}: ${resident}`)
})

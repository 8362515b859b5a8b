// A live session while its ledger is away goes on for as long as money is held for it, and not for
// a second longer. That it goes on when the ledger is back in time, the simulator sees
// (tests/sim: "legs outlived").
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { startShared, stopShared } from '../cluster.mjs'
import { sleep, until } from '../harness.mjs'

const TWIN = { policy_config: { limits: { monthly_hard_limit_usd: '10' } } }

let world
before(async () => {
  world = await startShared()
})
after(() => stopShared(world))

// Stops every process of the server where it is, or lets them go on.
const signal = (name, pids) => spawnSync('kill', [`-${name}`, ...pids.map(String)])

const room = async twin => {
  const session = world.session(twin, { mode: 'video' })
  await session.started()
  return session
}

// Of the twin's only leg.
const heldFor = twin =>
  Number(
    world.cluster.query(`SELECT held_nusd FROM vito.usage WHERE tenant_id = '${twin.id}'`)[0],
  ) / 1e9

test('a room is ended before it costs more than is held for it when the ledger does not answer', async () => {
  const twin = await world.twin('frozen', TWIN)
  const session = await room(twin)
  await sleep(1000) // its first hold is written, the next is not asked for
  const held = heldFor(twin)
  const server = world.cluster.processes()
  signal('STOP', server)
  try {
    const { problem } = await session.frame('error', undefined, 20000)
    assert.equal(problem.reason, 'store_unavailable')
    assert.equal(problem.retryable, true)
    const rooms = async () => Object.values((await world.vendor('/_bill')).legs)
    await sleep(1000)
    const before = await rooms()
    assert.deepEqual(before, await sleep(1000).then(rooms), 'it has ended')
    assert.ok(Number(before[0].usd) <= held, `${before[0].usd} with ${held} held`)
  } finally {
    signal('CONT', server)
  }
  assert.equal((await session.closed).code, 1013)
  assert.ok(session.frames.some(frame => frame.type === 'session.ended'))
  await until(async () => (await world.audit(twin, 'BILLING_EVENT')).length === 1, 'its entry')
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  const { legs } = await world.vendor('/_bill')
  assert.equal(entry.outcome, 'store_unavailable')
  assert.equal(entry.cost_amount, legs[entry.id].usd)
  await until(async () => (await world.turn(twin)).status === 200, 'the next turn')
})

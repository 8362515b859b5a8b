// A disk without room for the ledger (tests/support/full_disk.c): what was acknowledged is in it,
// nothing new begins, what is under way waits for room, and all of it is there in the end.
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { World, bin, compareWithBill, sleep, until } from '../harness.mjs'

const flag = join('/tmp', `twin-full-disk-${process.pid}`)
const fill = () => writeFile(flag, '')
const clear = () => rm(flag, { force: true })

let world
before(async () => {
  world = await World.start({ env: { LD_PRELOAD: join(bin, 'libfull_disk.so'), FULL_DISK: flag } })
})
beforeEach(clear)
after(async () => {
  await clear()
  await world.stop()
})

const PLENTY = { policy_config: { limits: { monthly_hard_limit_usd: '10' } } }

// A turn that is under way when the disk becomes full. `answer` is still to come.
async function fillDuringTurn(twin) {
  const calls = await world.calls('openai')
  const answer = world.turn(twin, { text: '[tokens:300] hello' })
  answer.catch(() => {})
  await until(async () => (await world.calls('openai')) > calls, 'the vendor to be asked')
  await fill()
  return { answer }
}

test('on a full disk nothing begins, and what was acknowledged is in the ledger', async () => {
  const twin = await world.twin('refused', PLENTY)
  const receipts = []
  for (let i = 0; i < 3; i++) receipts.push((await world.turn(twin)).body)
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  const calls = await world.calls()
  await fill()
  const refused = await world.turn(twin)
  assert.equal(refused.status, 503)
  assert.equal(refused.body.reason, 'store_unavailable')
  assert.match(refused.headers.get('retry-after'), /^[1-9]\d*$/)
  session.turn('t1', 'hello')
  assert.equal((await session.frame('turn.refused', 't1')).problem.reason, 'store_unavailable')
  assert.equal((await world.admin('PUT', '/api/tenants/refused', {})).status, 503)
  assert.equal(await world.calls(), calls, 'no vendor was asked')
  const entries = await world.audit(twin, 'BILLING_EVENT')
  assert.deepEqual(
    entries.map(entry => [entry.decision_id, entry.cost_amount]),
    receipts.map(({ decision, cost_usd: cost }) => [decision.id, cost]),
  )
  await clear()
  await until(async () => (await world.turn(twin)).status === 200, 'room to be used again')
  assert.equal((await session.end()).reason, 'USER_EXIT')
  await compareWithBill(assert, world, twin, '0.01')
})

test('a turn that has no room for its record is answered when it has', async () => {
  const twin = await world.twin('waits', PLENTY)
  const { answer } = await fillDuringTurn(twin)
  let answered = false
  answer.then(() => {
    answered = true
  })
  await sleep(1500)
  assert.equal(answered, false, 'no answer without a record')
  assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 0)
  await clear()
  const { status, body } = await answer
  assert.equal(status, 200)
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.cost_amount, body.cost_usd)
  assert.equal(entry.outcome, 'completed')
  await compareWithBill(assert, world, twin, '0.01')
})

test('a crash on a full disk loses nothing, and a start on one says what is wrong', async () => {
  const twin = await world.twin('crashes', PLENTY)
  const receipt = (await world.turn(twin)).body
  await fillDuringTurn(twin)
  await world.gateway.stop('SIGKILL')
  await assert.rejects(
    world.startGateway(),
    /store var\/twin.db: the disk is full: make room on it/,
  )
  await clear()
  await world.startGateway()
  const entries = await world.audit(twin, 'BILLING_EVENT')
  assert.deepEqual(
    entries.map(entry => entry.outcome),
    ['completed', 'recovered'],
  )
  assert.equal(entries[0].decision_id, receipt.decision.id)
  assert.equal((await world.turn(twin)).status, 200)
})

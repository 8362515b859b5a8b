// Gateways on PostgreSQL: what one does on the embedded store, several do together on a shared one.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startShared, stopShared } from '../cluster.mjs'
import { compareWithBill, run, bin } from '../harness.mjs'
import { join } from 'node:path'

const DOLLAR = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1.00' },
    rate: { per_second: 1000, burst: 1000 },
    prices: { interaction_usd: '0.01', token_1k_usd: '0' },
  },
}

let world
before(async () => {
  world = await startShared({ env: { TWIN_NODE: 'first' } })
})
after(() => stopShared(world))

test('a dollar admits one hundred one-cent turns, and a crash in between changes nothing', async () => {
  const twin = await world.twin('dollar', DOLLAR)
  const calls = await world.calls('openai')
  let succeeded = 0
  for (let i = 0; i < 50; i++) succeeded += (await world.turn(twin)).status === 200
  assert.equal(succeeded, 50)
  await world.crashAndRestart()
  for (let i = 0; i < 60; i++) succeeded += (await world.turn(twin)).status === 200
  assert.equal(succeeded, 100)
  assert.equal((await world.calls('openai')) - calls, 100)
  assert.equal((await world.balance(twin)).posted_usd, '1.000000000')
  await compareWithBill(assert, world, twin, '0.01')
})

test('what a DBA finds is what the API says', async () => {
  const twin = await world.twin('dba', DOLLAR)
  await world.turn(twin)
  assert.deepEqual(
    world.cluster.query(
      `SELECT count(*), sum(cost_amount), count(DISTINCT id) FROM vito.audit_logs
       WHERE tenant_id = 'dba' AND event = 'BILLING_EVENT'`,
    ),
    ['1|0.010000000|1'],
  )
  const [entry] = await world.audit(twin, 'BILLING_EVENT')
  assert.equal(entry.cost_amount, '0.010000000')
})

test('while the database is away nothing is admitted, and then it is again', async () => {
  const twin = await world.twin('away', DOLLAR)
  assert.equal((await world.turn(twin)).status, 200)
  const calls = await world.calls('openai')
  await world.cluster.stopServer()
  const refused = await world.turn(twin)
  assert.equal(refused.status, 503)
  assert.equal(refused.body.reason, 'store_unavailable')
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  assert.equal((await world.calls('openai')) - calls, 0)
  await world.cluster.startServer()
  for (let i = 0; i < 200 && (await world.turn(twin)).status !== 200; i++) {
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  assert.equal((await world.turn(twin)).status, 200)
  assert.equal(
    (await world.audit(twin, 'BILLING_EVENT')).length,
    (await world.calls('openai')) - calls + 1,
  )
})

test('a URI is shown without its password', async () => {
  const env = { TWIN_STORE: 'postgresql://gw:hunter2@db.example/twin?sslpassword=x' }
  const { stdout } = await run(join(bin, 'twin-gateway'), ['check', '--print'], { env })
  assert.match(stdout, /postgresql:\/\/gw:\*\*\*@db\.example\/twin/)
  assert.doesNotMatch(stdout, /hunter2/)
})

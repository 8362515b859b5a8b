// Refunds: money given back is an entry of its own, is seen at once, can be spent again, and is never
// more than was spent.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

let world, twin
before(async () => {
  world = await World.start()
  twin = await world.twin('cantor', {
    policy_config: { limits: { monthly_hard_limit_usd: '0.05' } },
  })
})
after(() => world.stop())

function refund(body, id = twin.id) {
  return world.admin('POST', `/api/tenants/${id}/refunds`, body)
}

test('a twin that sleeps is woken by a refund, for exactly as much', async () => {
  for (let i = 0; i < 5; i++) assert.equal((await world.turn(twin)).status, 200)
  assert.equal((await world.turn(twin)).status, 402)
  const given = await refund({ id: 'case-1', amount_usd: '0.02', reason: 'two turns of silence' })
  assert.equal(given.status, 200, JSON.stringify(given.body))
  assert.equal(given.body.posted_usd, '0.030000000')
  assert.equal(given.body.refunded_usd, '0.020000000')
  assert.equal(given.body.remaining_usd, '0.020000000')
  assert.equal((await world.turn(twin)).status, 200)
  assert.equal((await world.turn(twin)).status, 200)
  assert.equal((await world.turn(twin)).status, 402)
  const balance = await world.balance(twin)
  assert.equal(balance.posted_usd, '0.050000000')
  assert.equal(balance.refunded_usd, '0.020000000')
})

test('asking again refunds once, also after a crash', async () => {
  const body = { id: 'case-2', amount_usd: '0.01', reason: 'again' }
  assert.equal((await refund(body)).body.posted_usd, '0.040000000')
  assert.equal((await refund(body)).body.posted_usd, '0.040000000')
  await world.crashAndRestart()
  const again = await refund(body)
  assert.equal(again.status, 200)
  assert.equal(again.body.posted_usd, '0.040000000')
  assert.equal(again.body.refunded_usd, '0.030000000')
  const other = await refund({ ...body, amount_usd: '0.02' })
  assert.equal(other.status, 400)
  assert.match(other.body.detail, /names another refund/)
})

test('a leg is refunded up to what it cost, and the month up to what was posted', async () => {
  const [leg] = await world.audit(twin, 'BILLING_EVENT')
  const of = (id, amount_usd, leg_id) => refund({ id, amount_usd, reason: 'late', leg_id })
  assert.equal((await of('leg-1', '0.02', leg.id)).status, 400, 'it has cost a cent')
  assert.equal((await of('leg-1', '0.006', leg.id)).status, 200)
  assert.equal((await of('leg-2', '0.005', leg.id)).status, 400, 'less than half is left')
  assert.equal((await of('leg-2', '0.005', 'leg_01J00000000000000000000000')).status, 404)
  const much = await refund({ id: 'much', amount_usd: '0.034000001', reason: 'all and more' })
  assert.equal(much.status, 400)
  assert.match(much.body.detail, /at most 0\.034000000/)
  const all = await refund({ id: 'all', amount_usd: '0.034', reason: 'all' })
  assert.equal(all.body.posted_usd, '0.000000000')
  assert.equal((await refund({ id: 'x', amount_usd: '0.000000001', reason: 'x' })).status, 400)
})

test('each refund is in the trail, once, with who gave it', async () => {
  const entries = await world.audit(twin, 'REFUND')
  assert.deepEqual(
    entries.map(({ details }) => [details.refund, details.amount_usd, details.caller]),
    [
      ['case-1', '0.020000000', 'operator'],
      ['case-2', '0.010000000', 'operator'],
      ['leg-1', '0.006000000', 'operator'],
      ['all', '0.034000000', 'operator'],
    ],
  )
})

test('a refund that makes no sense is refused, and said why', async () => {
  const good = { id: 'a', amount_usd: '0.01', reason: 'why' }
  for (const [body, said] of [
    [undefined, /JSON/],
    ['[]', /JSON object/],
    ['{"id":"a","id":"b"}', /each name once/],
    [{ ...good, id: undefined }, /\/id/],
    [{ ...good, id: '../x' }, /\/id/],
    [{ ...good, id: 'x'.repeat(65) }, /\/id/],
    [{ ...good, amount_usd: 0.01 }, /\/amount_usd/],
    [{ ...good, amount_usd: '0' }, /\/amount_usd/],
    [{ ...good, amount_usd: '-1' }, /\/amount_usd/],
    [{ ...good, amount_usd: '1e9' }, /\/amount_usd/],
    [{ ...good, reason: '' }, /\/reason/],
    [{ ...good, reason: 'x'.repeat(257) }, /\/reason/],
    [{ ...good, leg_id: 'ses_1' }, /\/leg_id/],
    [{ ...good, note: 'x' }, /nothing else/],
  ]) {
    const answer = await refund(body)
    assert.equal(answer.status, 400, JSON.stringify(body))
    assert.match(answer.body.detail, said)
  }
  assert.equal((await refund(good, 'nobody')).status, 404)
})

// Several gateways on one PostgreSQL: they spend one limit together, exactly; what one is told the
// others know; what one leaves open when it dies the others settle.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { addGateway, startShared, stopShared } from '../cluster.mjs'
import { compareWithBill, sleep, until } from '../harness.mjs'

const DOLLAR = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1.00' },
    rate: { per_second: 1000, burst: 1000 },
    prices: { interaction_usd: '0.01', token_1k_usd: '0' },
  },
}

let world
let nodes
before(async () => {
  world = await startShared()
  nodes = [world, await addGateway(world), await addGateway(world)]
})
after(() => stopShared(world))

// Until every gateway knows the twin's key. Nothing is spent for it: a client may not see balances.
async function knowKey(twin, gateways) {
  const shown = node => node.request('GET', `/api/tenants/${twin.id}/balance`, { key: twin.key })
  for (const node of gateways) {
    await until(async () => (await shown(node)).status === 403, 'the key everywhere')
  }
}

async function isSpent(twin) {
  const { posted_usd: posted, limit_usd: limit } = await world.balance(twin)
  return posted === limit
}

// Every client asks until it is refused and all is spent; how many turns there were. What another
// gateway holds may come back too late for the one who was short of it: then he asks again.
async function spend(twin, gateways, clients) {
  let succeeded = 0
  const client = gateway =>
    until(async () => {
      const { status } = await gateway.turn(twin)
      succeeded += status === 200
      assert.ok(status === 200 || status === 402, `${status}`)
      return status === 402 && isSpent(twin)
    }, 'all to be spent')
  await Promise.all(
    Array.from({ length: clients }, (_, i) => client(gateways[i % gateways.length])),
  )
  for (const node of gateways) assert.equal((await node.turn(twin)).status, 402)
  return succeeded
}

async function checkDollar(twin, succeeded, calls) {
  assert.equal(succeeded, 100)
  assert.equal(calls, 100)
  for (const node of nodes) assert.equal((await node.balance(twin)).posted_usd, '1.000000000')
  assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 100)
  assert.deepEqual(
    world.cluster.query(
      `SELECT posted_nusd, reserved_nusd, excess_nusd FROM vito.budgets WHERE tenant_id = '${twin.id}'`,
    ),
    ['1000000000|0|0'],
  )
  await compareWithBill(assert, world, twin, '0.01')
}

for (const count of [2, 3]) {
  test(`${count} gateways spend a dollar in one hundred one-cent turns`, async () => {
    const twin = await world.twin(`dollar-${count}`, DOLLAR)
    const gateways = nodes.slice(0, count)
    await knowKey(twin, gateways)
    const calls = await world.calls('openai')
    const succeeded = await spend(twin, gateways, 2 * count)
    await checkDollar(twin, succeeded, (await world.calls('openai')) - calls)
  })
}

test('what one gateway holds and does not need another one gets', async () => {
  const twin = await world.twin('recalled', DOLLAR)
  await knowKey(twin, nodes)
  for (const node of nodes) assert.equal((await node.turn(twin)).status, 200)
  const [held] = world.cluster.query(
    `SELECT count(*) FROM vito.grants WHERE tenant_id = 'recalled' AND left_nusd > 0`,
  )
  assert.ok(Number(held) > 1, 'several of them hold some')
  const calls = await world.calls('openai')
  const succeeded = await spend(twin, [nodes[1]], 1)
  await checkDollar(twin, succeeded + 3, (await world.calls('openai')) - calls + 3)
})

test('a key, a limit and an end are known everywhere', async () => {
  const twin = await world.twin('known', DOLLAR)
  await until(async () => (await nodes[2].turn(twin)).status === 200, 'the key everywhere')
  const limits = { monthly_hard_limit_usd: '0.01' }
  await world.twin('known', { policy_config: { ...DOLLAR.policy_config, limits } })
  await until(async () => (await nodes[2].turn(twin)).status === 402, 'the limit everywhere')
  await world.admin('DELETE', `/api/tenants/known`)
  await until(async () => (await nodes[2].turn(twin)).status === 401, 'the end everywhere')
})

test('what a dead gateway held comes back, and what it had open counts as spent', async () => {
  const twin = await world.twin('orphan', DOLLAR)
  const last = await addGateway(world)
  await until(async () => (await last.turn(twin)).status === 200, 'its first turn')
  await world.fault('openai', 'hang', 1)
  last.turn(twin).catch(() => {})
  await until(
    () =>
      world.cluster.query(`SELECT 1 FROM vito.usage WHERE tenant_id = 'orphan' AND state = 'open'`)
        .length === 1,
    'an open leg',
  )
  await last.gateway.stop('SIGKILL')
  world.others.pop()
  await until(
    () =>
      world.cluster.query(
        `SELECT 1 FROM vito.budgets WHERE tenant_id = 'orphan' AND reserved_nusd = 0`,
      ).length === 1,
    'its slice to come back',
  )
  const outcomes = (await world.audit(twin, 'BILLING_EVENT')).map(entry => entry.outcome)
  assert.deepEqual(outcomes.sort(), ['completed', 'recovered'])
  let succeeded = 0
  for (let i = 0; i < 100; i++) succeeded += (await world.turn(twin)).status === 200
  assert.equal(succeeded, 98)
})

test('gateways that are never without work settle what a dead one had open', async () => {
  const last = await addGateway(world, { TWIN_NODE: 'dies-at-work' })
  const busy = await world.twin('busy', {
    policy_config: { ...DOLLAR.policy_config, limits: { monthly_hard_limit_usd: '1000' } },
  })
  let working = true
  const work = async node => {
    while (working) await node.turn(busy)
  }
  const tasks = nodes.map(work)
  await until(async () => (await last.turn(busy)).status === 200, 'its first turn')
  await last.gateway.stop('SIGKILL')
  world.others.pop()
  const settled = `SELECT 1 FROM vito.nodes WHERE node = 'dies-at-work' AND state = 'ended'`
  try {
    await until(() => world.cluster.query(settled).length === 1, 'another one to settle')
  } finally {
    working = false
    await Promise.all(tasks)
  }
})

test('a gateway that stood still for too long spends nothing of what was taken from it', async () => {
  const twin = await world.twin('paused', DOLLAR)
  const still = await addGateway(world)
  await until(async () => (await still.turn(twin)).status === 200, 'its first turn')
  process.kill(still.gateway.pid, 'SIGSTOP')
  await until(
    () =>
      world.cluster.query(
        `SELECT 1 FROM vito.budgets WHERE tenant_id = 'paused' AND reserved_nusd = 0`,
      ).length === 1,
    'its slice to come back',
  )
  let succeeded = 1
  for (let i = 0; i < 99; i++) succeeded += (await world.turn(twin)).status === 200
  assert.equal(succeeded, 100)
  process.kill(still.gateway.pid, 'SIGCONT')
  const statuses = new Set()
  for (let i = 0; i < 20; i++) statuses.add((await still.turn(twin)).status)
  assert.ok(!statuses.has(200), [...statuses].join(' '))
  assert.ok(statuses.has(402), [...statuses].join(' '))
  assert.equal((await world.balance(twin)).posted_usd, '1.000000000')
  assert.equal((await world.audit(twin, 'BILLING_EVENT')).length, 100)
})

async function askUnder(node, twin, key, text) {
  const answer = await node.turn(twin, { text }, { headers: { 'Idempotency-Key': key } })
  return { ...answer, replayed: answer.headers.get('idempotent-replayed') === 'true' }
}

test('a key is one turn, whichever gateways are asked, and all of them at once', async () => {
  const twin = await world.twin('keyed', DOLLAR)
  for (const node of nodes) await until(async () => (await node.turn(twin)).status === 200, 'it')
  const calls = await world.calls('openai')
  const asked = Array.from({ length: 12 }, (_, i) =>
    askUnder(nodes[i % nodes.length], twin, 'k', '[tokens:50] tell me'),
  )
  const answers = await Promise.all(asked)
  const own = answers.filter(answer => answer.status === 200 && !answer.replayed)
  assert.equal(own.length, 1)
  assert.ok(answers.every(({ status }) => status === 200 || status === 409))
  for (const node of nodes) {
    const again = await askUnder(node, twin, 'k', '[tokens:50] tell me')
    assert.deepEqual([again.status, again.replayed], [200, true])
    assert.deepEqual(again.body, own[0].body)
    assert.equal((await askUnder(node, twin, 'k', 'another')).status, 422)
  }
  assert.equal((await world.calls('openai')) - calls, 1)
  await compareWithBill(assert, world, twin, '0.01')
})

test('a turn whose gateway died is not carried out by another one', async () => {
  const twin = await world.twin('keyed-died', DOLLAR)
  const doomed = await addGateway(world)
  await until(async () => (await doomed.turn(twin)).status === 200, 'its first turn')
  const calls = await world.calls('openai')
  askUnder(doomed, twin, 'k', '[tokens:5000] tell me').catch(() => {})
  await until(async () => (await world.calls('openai')) > calls, 'the vendor to be called')
  await doomed.gateway.stop('SIGKILL')
  world.others.pop()
  let again
  await until(async () => {
    again = await askUnder(world, twin, 'k', '[tokens:5000] tell me')
    return again.status !== 409
  }, 'the others to know')
  assert.equal(again.status, 410)
  assert.equal(again.body.reason, 'idempotency_key_lost')
  assert.equal((await world.calls('openai')) - calls, 1)
})

test('what a gateway says of a leg that others settled is what they wrote', async () => {
  const prices = { interaction_usd: '0.01', token_1k_usd: '0.01' }
  const twin = await world.twin('outlived', { policy_config: { ...DOLLAR.policy_config, prices } })
  const still = await addGateway(world)
  await until(async () => (await still.turn(twin)).status === 200, 'its first turn')
  const answer = still.turn(twin, { text: '[tokens:500] hello' })
  const open = `SELECT 1 FROM vito.usage WHERE tenant_id = 'outlived' AND state = 'open'`
  await until(() => world.cluster.query(open).length === 1, 'an open leg')
  process.kill(still.gateway.pid, 'SIGSTOP')
  await until(() => world.cluster.query(open).length === 0, 'others to settle it')
  process.kill(still.gateway.pid, 'SIGCONT')
  const { status, body } = await answer
  assert.equal(status, 200)
  const entries = await world.audit(twin, 'BILLING_EVENT')
  const entry = entries.find(one => one.decision_id === body.decision.id)
  assert.equal(entry.outcome, 'recovered')
  assert.equal(body.cost_usd, entry.cost_amount)
})

test('a gateway that has nothing to write renews its lease', async () => {
  const idle = await addGateway(world, { TWIN_NODE: 'idle' })
  const sql = `SELECT count(*) FROM vito.nodes WHERE node = 'idle' AND expires_at > clock_timestamp()`
  for (const end = Date.now() + 6000; Date.now() < end; await sleep(250)) {
    assert.deepEqual(world.cluster.query(sql), ['1'])
  }
  await idle.gateway.stop()
  world.others.pop()
})

// Rooms cost by the clock, at 0.37 dollars a minute, until somebody ends them.
test('a room whose gateway dies costs no more than was left for it, whatever others spend', async () => {
  const twin = await world.twin('left-open', {
    policy_config: {
      limits: { monthly_hard_limit_usd: '0.1' },
      rate: { per_second: 1000, burst: 1000 },
      prices: { interaction_usd: '0.001', token_1k_usd: '0' },
    },
  })
  const doomed = await addGateway(world)
  await knowKey(twin, [doomed])
  const session = doomed.session(twin, { mode: 'video' })
  const { session_id: id } = await session.started()
  let turns = 0
  for (let refused = 0; refused < 5; await sleep(20)) {
    const isDone = (await world.turn(twin)).status === 200
    turns += isDone
    refused = isDone ? 0 : refused + 1 // what others hold may come back a little later
  }
  await doomed.gateway.stop('SIGKILL')
  world.others.pop()
  const room = () =>
    world.audit(twin, 'BILLING_EVENT').then(all => all.find(e => e.session_id === id))
  await until(async () => (await room()) !== undefined, 'another gateway to end the room')
  const { id: leg, cost_amount: posted } = await room()
  const { legs } = await world.vendor('/_bill')
  assert.equal(posted, legs[leg].usd)
  const spent = Math.round(Number(posted) * 1e9) + turns * 1e6
  assert.ok(turns > 0 && spent <= 1e8, `${turns} turns and a room for ${posted} dollars of 0.1`)
})

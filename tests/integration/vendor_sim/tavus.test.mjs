// The calls an adapter makes to Tavus, and the clock that runs meanwhile.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { startSimulator } from './simulator.mjs'

let sim

before(async () => {
  sim = await startSimulator('--media-speed', '100')
})
after(() => sim.stop())
beforeEach(() => sim.reset())

async function call(method, path, { body, key = 'key', id } = {}) {
  const response = await fetch(`${sim.base}/tavus/v2${path}`, {
    method,
    headers: { 'x-api-key': key, ...(id && { 'X-Request-Id': id }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : JSON.parse(text) }
}

const create = (body = {}, id = undefined) =>
  call('POST', '/conversations', { body: { replica_id: 'r1', ...body }, id })
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

async function durationOf(id) {
  const { body } = await call('GET', `/conversations/${id}?verbose=true`)
  const shutdown = body.events.find(event => event.event_type === 'system.shutdown')
  assert.match(shutdown.timestamp, ISO)
  return {
    ms: Date.parse(shutdown.timestamp) - Date.parse(body.created_at),
    reason: shutdown.properties.shutdown_reason,
  }
}

test('a conversation is billed from creation to its end by the clock on the wall', async () => {
  const { status, body } = await create({ conversation_name: 'leg-1' }, 'leg-1')
  assert.equal(status, 200)
  assert.equal(body.status, 'active')
  assert.equal(body.conversation_name, 'leg-1')
  assert.equal(body.conversation_url, `https://tavus.daily.co/${body.conversation_id}`)
  assert.match(body.created_at, ISO)
  await wait(120)
  const running = (await sim.bill()).legs['leg-1'].media_ms
  assert.ok(running >= 115 && running < 5000, `${running} ms, not a hundred times as fast`)
  assert.equal((await call('POST', `/conversations/${body.conversation_id}/end`)).status, 200)
  const { ms, reason } = await durationOf(body.conversation_id)
  assert.equal(reason, 'end_conversation_endpoint_hit')
  const bill = await sim.bill()
  assert.equal(bill.legs['leg-1'].media_ms, ms)
  const nusd = (BigInt(ms) * 370000000n + 59999n) / 60000n
  assert.equal(bill.legs['leg-1'].usd, `0.${String(nusd).padStart(9, '0')}`)
  await wait(50)
  assert.equal((await sim.bill()).total_usd, bill.total_usd, 'it has ended')
})

test('the longest duration ends it', async () => {
  const { body } = await create({ properties: { max_call_duration: 1 } })
  await sim.call('POST', `/tavus/_join/${body.conversation_id}`)
  await wait(1100)
  const { ms, reason } = await durationOf(body.conversation_id)
  assert.ok(ms >= 1000 && ms < 1500, `${ms} ms`)
  assert.equal(reason, 'max_call_duration reached')
})

test('nobody joins unless told to, and an empty room ends', async () => {
  const properties = { participant_absent_timeout: 1 }
  const [empty, joined] = await Promise.all([create({ properties }), create({ properties })])
  const joining = await sim.call('POST', `/tavus/_join/${joined.body.conversation_id}`)
  assert.equal(joining.status, 200)
  await wait(1100)
  const { reason } = await durationOf(empty.body.conversation_id)
  assert.equal(reason, 'participant_absent_timeout reached')
  const other = await call('GET', `/conversations/${joined.body.conversation_id}`)
  assert.equal(other.body.status, 'active')
  assert.equal(other.body.events, undefined, 'events only when asked for')
  assert.equal((await sim.calls()).by_vendor.tavus, 4, "joining is no call of the vendor's API")
})

test('somebody can join all rooms at once', async () => {
  const properties = { participant_absent_timeout: 1 }
  const rooms = await Promise.all([create({ properties }), create({ properties })])
  assert.deepEqual((await sim.call('POST', '/tavus/_join')).body, { ok: true })
  await wait(1100)
  for (const { body } of rooms) {
    const room = await call('GET', `/conversations/${body.conversation_id}`)
    assert.equal(room.body.status, 'active')
  }
  assert.equal((await sim.call('POST', '/tavus/_joined')).status, 404)
})

test('a test conversation has ended from the start and costs nothing', async () => {
  const { body } = await create({ test_mode: true }, 'leg-test')
  assert.equal(body.status, 'ended')
  assert.equal((await sim.bill()).legs['leg-test'], undefined)
})

test('conversations are listed newest first, by status and by page', async () => {
  const ids = []
  for (let i = 0; i < 5; i++) {
    const { body } = await create({ conversation_name: `room ${i}` })
    ids.unshift(body.conversation_id)
  }
  await call('POST', `/conversations/${ids[1]}/end`)
  const listed = async query => {
    const { body } = await call('GET', `/conversations${query}`)
    return { ids: body.data.map(one => one.conversation_id), total: body.total_count }
  }
  assert.deepEqual(await listed(''), { ids, total: 5 })
  assert.deepEqual(await listed('?limit=2&page=2'), { ids: ids.slice(2, 4), total: 5 })
  assert.deepEqual(await listed('?status=ended'), { ids: [ids[1]], total: 1 })
  assert.equal((await listed('?status=active&limit=50')).total, 4)
})

test('an ended conversation cannot be ended again, and a deleted one is gone', async () => {
  const { body } = await create({}, 'leg-deleted')
  const path = `/conversations/${body.conversation_id}`
  assert.equal((await call('POST', `${path}/end`)).status, 200)
  const again = await call('POST', `${path}/end`)
  assert.deepEqual(again, { status: 400, body: { error: 'Invalid conversation_id' } })
  assert.equal((await call('DELETE', path)).status, 204)
  assert.equal((await call('GET', path)).status, 400)
})

test('deleting a running conversation ends its bill', async () => {
  const { body } = await create({}, 'leg-running')
  await wait(30)
  await call('DELETE', `/conversations/${body.conversation_id}?hard=true`)
  const { total_usd } = await sim.bill()
  assert.notEqual(total_usd, '0.000000000')
  await wait(30)
  assert.equal((await sim.bill()).total_usd, total_usd)
})

test('keys and bodies are checked as the vendor does', async () => {
  const refused = await call('POST', '/conversations', { body: {}, key: 'bad-key' })
  assert.deepEqual(refused, { status: 401, body: { message: 'Invalid access token' } })
  assert.equal((await call('POST', '/conversations', { body: {} })).status, 400)
  const endless = await create({ properties: { max_call_duration: 999999 } })
  assert.equal(endless.status, 400)
  assert.equal((await call('GET', '/nothing')).status, 404)
})

test("faults come in the vendor's own words", async () => {
  await sim.fault({ vendor: 'tavus', kind: 'out_of_money', count: 1 })
  const broke = await create()
  assert.equal(broke.status, 402)
  assert.match(broke.body.message, /credits/)
  await sim.fault({ vendor: 'tavus', kind: 'rate_limit', count: 1 })
  const busy = await create()
  assert.equal(busy.status, 429)
  assert.match(busy.body.message, /concurrent/)
})

test('a create whose answer is cut has made a room that can be found by its name', async () => {
  await sim.fault({ vendor: 'tavus', kind: 'cut', count: 1 })
  await assert.rejects(create({ conversation_name: 'lost' }))
  const { body } = await call('GET', '/conversations?status=active')
  assert.deepEqual(
    body.data.map(one => one.conversation_name),
    ['lost'],
  )
})

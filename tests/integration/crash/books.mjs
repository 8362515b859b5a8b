// The invariants, as sentences about three books: what the vendors would charge, what the ledger
// says, and what clients hold receipts of.

export function nusd(text) {
  const [whole, part = ''] = `${text}`.split('.')
  return BigInt(whole) * 1000000000n + BigInt(part.padEnd(9, '0'))
}

const TURN_NUSD = 10000000n // a tenant's own price of a turn, which no vendor charges

export class Books {
  // bill: { leg: { vendor, usd } }, exact: whether it is complete (no vendor has forgotten any)
  static async read(store, bill, acknowledged, exact) {
    const books = new Books()
    const t = name => store.table(name)
    books.bill = bill
    books.acknowledged = acknowledged
    books.exact = exact
    books.legs = await store.rows(
      `SELECT leg_id, tenant_id, provider_id, state, outcome, cost_nusd, interactions, decision_id
       FROM ${t('usage')}`,
    )
    books.trail = await store.rows(
      `SELECT id, tenant_id, ${store.cost} AS cost FROM ${t('audit_logs')}
       WHERE event = 'BILLING_EVENT'`,
    )
    books.budgets = await store.rows(
      `SELECT b.tenant_id, limit_nusd, posted_nusd, reserved_nusd,
         (SELECT coalesce(sum(left_nusd), 0) FROM ${t('grants')} AS g
          WHERE g.tenant_id = b.tenant_id AND g.period_start_ms = b.period_start_ms) AS granted,
         (SELECT coalesce(sum(overrun_nusd), 0) FROM ${t('usage')} AS u
          WHERE u.tenant_id = b.tenant_id AND u.period_start_ms = b.period_start_ms) AS overrun
       FROM ${t('budgets')} AS b`,
    )
    return books
  }

  check() {
    return [
      ...this.consumptionWithinLimit(),
      ...this.budgetsBalance(),
      ...this.vendorSecondsOnce(),
      ...this.receiptsRecorded(),
    ]
  }

  // I1: what vendors and turns really cost a tenant is within its limit.
  *consumptionWithinLimit() {
    const spent = new Map()
    const add = (tenant, amount) => spent.set(tenant, (spent.get(tenant) ?? 0n) + amount)
    for (const leg of this.legs) add(leg.tenant_id, nusd(this.bill[leg.leg_id]?.usd ?? '0'))
    for (const receipt of this.acknowledged) add(receipt.tenant, TURN_NUSD)
    for (const { tenant_id: tenant, limit_nusd: limit } of this.budgets) {
      if ((spent.get(tenant) ?? 0n) > BigInt(limit)) {
        yield ['I1', `${tenant} consumed ${spent.get(tenant)} of ${limit}`]
      }
    }
  }

  // I2: reserved is the sum of open slices, and within the limit together with what is posted.
  *budgetsBalance() {
    for (const row of this.budgets) {
      if (row.reserved_nusd !== row.granted) {
        yield ['I2', `${row.tenant_id}: ${row.reserved_nusd} reserved, ${row.granted} granted`]
      }
      if (row.posted_nusd + row.reserved_nusd > row.limit_nusd + row.overrun) {
        yield ['I2', `${row.tenant_id}: ${row.posted_nusd} + ${row.reserved_nusd} over the limit`]
      }
    }
  }

  // I3: each leg a vendor charges for is in the ledger, once, at no less than it charges; and at
  // exactly that when the leg ended in an orderly way.
  *vendorSecondsOnce() {
    const records = new Map()
    for (const record of this.trail) {
      if (records.has(record.id)) yield ['I3', `${record.id} is recorded twice`]
      records.set(record.id, record)
    }
    const legs = new Map(this.legs.map(leg => [leg.leg_id, leg]))
    for (const [id, { usd }] of Object.entries(this.bill)) {
      const leg = legs.get(id)
      if (leg === undefined) yield ['I3', `${id} was consumed and is not in the ledger`]
      else yield* this.legAgainstBill(leg, nusd(usd), records.get(id))
    }
  }

  *legAgainstBill(leg, usd, record) {
    if (leg.state !== 'settled') return // I6 says so
    const own = leg.interactions > 0 ? TURN_NUSD * BigInt(leg.interactions) : 0n
    const cost = BigInt(leg.cost_nusd)
    if (cost < usd) yield ['I3', `${leg.leg_id} cost ${usd}, and ${cost} is posted`]
    if (this.exact && leg.outcome === 'completed' && cost !== usd + own) {
      yield ['I3', `${leg.leg_id} cost ${usd + own}, and ${cost} is posted`]
    }
    if (record !== undefined && BigInt(record.cost) !== cost) {
      yield ['I3', `${leg.leg_id}: ${cost} is posted and ${record.cost} recorded`]
    }
  }

  // I4: every receipt, and every settled leg, has its record.
  *receiptsRecorded() {
    const recorded = new Map()
    const ids = new Set(this.trail.map(record => record.id))
    for (const leg of this.legs) {
      if (leg.state !== 'settled') continue
      if (!ids.has(leg.leg_id)) {
        yield ['I4', `${leg.leg_id} is settled without a record`]
      } else if (leg.decision_id !== null) {
        const sum = recorded.get(leg.decision_id) ?? 0n
        recorded.set(leg.decision_id, sum + BigInt(leg.cost_nusd))
      }
    }
    for (const { tenant, decision, cost } of this.acknowledged) {
      if (recorded.get(decision) !== nusd(cost)) {
        const found = recorded.get(decision)
        yield ['I4', `${tenant} has a receipt of ${cost} for ${decision}; recorded: ${found}`]
      }
    }
  }

  // I6: once everything has come to rest nothing is open.
  *nothingOpen() {
    for (const leg of this.legs) {
      if (leg.state !== 'settled') yield ['I6', `${leg.leg_id} of ${leg.tenant_id} is still open`]
    }
  }
}

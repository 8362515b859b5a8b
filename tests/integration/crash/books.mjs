// The invariants, as sentences about three books: what the vendors would charge, what the ledger
// says, and what clients hold receipts of.

export function nusd(text) {
  const [whole, part = ''] = `${text}`.split('.')
  return BigInt(whole) * 1000000000n + BigInt(part.padEnd(9, '0'))
}

const TURN_NUSD = 10000000n // a tenant's own price of a turn, which no vendor charges

function sumBy(rows, key, amount) {
  const sums = new Map()
  for (const row of rows) {
    sums.set(row[key], (sums.get(row[key]) ?? 0n) + amount(row))
  }
  return sums
}

export class Books {
  // bill: { leg: { vendor, usd } }; turns, sessions: receipts (load.mjs); forgotten, overdue: sets
  // of rounds in which a vendor forgot some of its bill, and in which nobody could end rooms.
  static async read(store, { bill, turns, sessions, forgotten, overdue }) {
    const books = Object.assign(new Books(), { bill, turns, sessions, forgotten, overdue })
    const t = name => store.table(name)
    books.legs = await store.rows(
      `SELECT leg_id, tenant_id, session_id, decision_id, mode, state, outcome, held_nusd,
         cost_nusd, interactions FROM ${t('usage')}`,
    )
    books.trail = await store.rows(
      `SELECT id, tenant_id, ${store.cost} AS cost FROM ${t('audit_logs')}
       WHERE event = 'BILLING_EVENT'`,
    )
    const month = 'tenant_id = b.tenant_id AND x.period_start_ms = b.period_start_ms'
    books.budgets = await store.rows(
      `SELECT tenant_id, limit_nusd, posted_nusd, reserved_nusd,
         (SELECT coalesce(sum(left_nusd), 0) FROM ${t('grants')} AS x WHERE x.${month}) AS granted,
         (SELECT coalesce(sum(overrun_nusd), 0) FROM ${t('usage')} AS x WHERE x.${month}) AS overrun,
         (SELECT coalesce(sum(cost_nusd), 0) FROM ${t('usage')} AS x WHERE x.${month}) AS cost
       FROM ${t('budgets')} AS b`,
    )
    books.stranded = await store.rows(
      `SELECT tenant_id, node, left_nusd FROM ${t('grants')} AS g JOIN ${t('nodes')} AS n
       USING (node) WHERE left_nusd > 0 AND g.epoch < n.epoch`,
    )
    return books
  }

  // Everything but what is not settled yet, which is nothingOpen().
  check() {
    return [
      ...this.consumptionWithinLimit(),
      ...this.budgetsBalance(),
      ...this.vendorSecondsOnce(),
      ...this.recordsOnce(),
      ...this.receiptsRecorded(),
    ]
  }

  usd(leg) {
    return nusd(this.bill[leg.leg_id]?.usd ?? '0')
  }

  // I1: what vendors and turns really cost a tenant is within its limit. A room that nobody could
  // end because every gateway was away for longer than what is held for it is the one exception.
  *consumptionWithinLimit() {
    const spent = sumBy(this.legs, 'tenant_id', leg => this.usd(leg))
    const turns = sumBy(this.turns, 'tenant', () => TURN_NUSD)
    for (const { tenant_id: tenant, limit_nusd: limit } of this.budgets) {
      const consumed = (spent.get(tenant) ?? 0n) + (turns.get(tenant) ?? 0n)
      const isRoom = this.legs.some(leg => leg.tenant_id === tenant && leg.mode === 'video')
      if (consumed > BigInt(limit) && !(isRoom && this.overdue.has(roundOf(tenant)))) {
        yield ['I1', `${tenant} consumed ${consumed} of ${limit}`]
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

  // I3: each leg a vendor charges for is in the ledger, once, at no less than it charges; at exactly
  // that when it ended in an orderly way; and at what was held when nobody can say more.
  *vendorSecondsOnce() {
    const legs = new Map(this.legs.map(leg => [leg.leg_id, leg]))
    for (const id of Object.keys(this.bill)) {
      if (!legs.has(id)) yield ['I3', `${id} was consumed and is not in the ledger`]
    }
    for (const leg of this.legs) {
      if (leg.state === 'settled') yield* this.legAgainstBill(leg)
    }
    for (const row of this.budgets) {
      if (row.posted_nusd !== row.cost) {
        yield ['I3', `${row.tenant_id}: ${row.posted_nusd} posted, and its legs cost ${row.cost}`]
      }
    }
  }

  *legAgainstBill(leg) {
    const vendors = this.usd(leg)
    const owed = vendors + TURN_NUSD * BigInt(leg.interactions)
    const [cost, held] = [BigInt(leg.cost_nusd), BigInt(leg.held_nusd)]
    const story = `${leg.leg_id} (${leg.mode}, ${leg.outcome}) cost ${owed}, ${held} held, ${cost} posted`
    if (cost < vendors) yield ['I3', `${story}: too little`]
    if (this.forgotten.has(roundOf(leg.tenant_id))) return
    const isKnown = leg.outcome === 'completed' || (leg.mode === 'video' && vendors > 0n)
    if (isKnown && cost !== owed) yield ['I3', story]
    if (cost > owed && cost > held) yield ['I3', `${story}: too much`]
  }

  *recordsOnce() {
    const legs = new Map(this.legs.map(leg => [leg.leg_id, leg]))
    const seen = new Set()
    for (const { id, cost } of this.trail) {
      if (seen.has(id)) yield ['I3', `${id} is recorded twice`]
      seen.add(id)
      const leg = legs.get(id)
      if (leg?.state !== 'settled' || BigInt(cost) !== BigInt(leg.cost_nusd)) {
        yield ['I3', `${id} is recorded at ${cost}, and posted at ${leg?.cost_nusd}`]
      }
    }
    for (const leg of this.legs) {
      if (leg.state === 'settled' && !seen.has(leg.leg_id)) {
        yield ['I4', `${leg.leg_id} is settled without a record`]
      }
    }
  }

  // I4: every receipt, of a turn or of a whole session, is what its legs' records say.
  *receiptsRecorded() {
    const ids = new Set(this.trail.map(record => record.id))
    const legs = this.legs.filter(leg => leg.state === 'settled' && ids.has(leg.leg_id))
    const cost = leg => BigInt(leg.cost_nusd)
    const byDecision = sumBy(legs, 'decision_id', cost)
    for (const { tenant, decision, cost: paid } of this.turns) {
      const found = byDecision.get(decision)
      if (found !== nusd(paid)) {
        yield ['I4', `${tenant} has a receipt of ${paid} for ${decision}; recorded: ${found}`]
      }
    }
    const bySession = sumBy(legs, 'session_id', cost)
    for (const { tenant, session, cost: paid } of this.sessions) {
      const found = bySession.get(session) ?? 0n
      if (found !== nusd(paid)) {
        yield ['I4', `${tenant} has a bill of ${paid} for ${session}; recorded: ${found}`]
      }
    }
  }

  // I6: once everything has come to rest nothing is open, and no money is kept for the dead.
  *nothingOpen() {
    for (const leg of this.legs) {
      if (leg.state !== 'settled') yield ['I6', `${leg.leg_id} of ${leg.tenant_id} is still open`]
    }
    for (const { tenant_id: tenant, node, left_nusd: left } of this.stranded) {
      yield ['I6', `${left} of ${tenant} are still kept for a former life of ${node}`]
    }
  }

  // What a tenant may still spend; nothing when the ledger does not know of it.
  left(tenant) {
    const budget = this.budgets.find(row => row.tenant_id === tenant)
    return budget === undefined ? 0n : BigInt(budget.limit_nusd) - BigInt(budget.posted_nusd)
  }
}

// Tenants are named by the round they are made in: r12-tight.
function roundOf(tenant) {
  return Number(/^r(\d+)-/.exec(tenant)[1])
}

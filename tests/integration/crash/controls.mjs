// Negative controls: bugs that campaigns must find, each as a break of its invariant. They are in
// tests/planted/, and in the program twin-gateway-planted alone.
import { runCampaign } from './campaign.mjs'

const ROUNDS_MAX = 12
const REST_MS = 2000 // what heals does it sooner
const KILLS = ['gateway_kill', 'gateway_kill_in_flight']

// `faults`: those that show it, so that it is found soon.
const controls = {
  cheap_holds: { invariant: 'I1', faults: ['gateway_pause'] },
  greedy_grants: { invariant: 'I2', faults: ['gateway_pause'] },
  free_recovery: { invariant: 'I3', faults: KILLS },
  late_commits: { invariant: 'I4', faults: KILLS },
  left_rooms: { invariant: 'I5', faults: KILLS },
  left_legs: { invariant: 'I6', faults: KILLS },
  trusted_commits: { invariant: 'I4', faults: ['commit_unsent'], store: 'postgres' },
}

export const CONTROLS = Object.keys(controls)

// { invariant, rounds, found }: the first break of its invariant, or undefined.
async function runControl(name, seed, log) {
  const { invariant, faults, store = 'sqlite' } = controls[name]
  let found
  const isEnough = campaign => {
    found = campaign.violations.find(violation => violation.invariant === invariant)?.text
    return found !== undefined
  }
  const { rounds } = await runCampaign(
    {
      ...{ store, seed, faults, log, gateways: 1, rounds: ROUNDS_MAX, restMs: REST_MS },
      program: 'twin-gateway-planted',
      env: { PLANTED_BUG: name },
    },
    isEnough,
  )
  return { invariant, store, rounds, found }
}

// All of the names, one after the other: { name: { invariant, store, rounds, found } }
export async function runControls(names, seed, log) {
  const outcomes = {}
  for (const name of names) {
    log(`planted: ${name}`)
    outcomes[name] = await runControl(name, seed, log)
  }
  return outcomes
}

// Starts the simulator for one test file, and talks to its own paths.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const binary = process.env.TWIN_VENDOR_SIM ?? join(root, 'build/debug/bin/twin-vendor-sim')

export async function startSimulator(...options) {
  const child = spawn(binary, ['--port', '0', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => assert.fail(`the simulator ended with ${code}`)),
  ])
  const base = line.match(/^twin-vendor-sim listening on (http:\/\/\S+)$/)[1]
  const call = async (method, path, body) => {
    const response = await fetch(base + path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    return { status: response.status, body: await response.json() }
  }
  return {
    base,
    port: Number(new URL(base).port),
    calls: async () => (await call('GET', '/_calls')).body,
    bill: async () => (await call('GET', '/_bill')).body,
    reset: () => call('POST', '/_reset'),
    fault: rule => call('POST', '/_fault', rule),
    call,
    async stop() {
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      assert.equal(code, 0, 'it ends cleanly')
    },
  }
}

// Asks again until the answer is as wanted: what happens after an answer was sent takes a moment.
export async function until(wanted, ask) {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (wanted(answer) || tries === 200) return answer
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

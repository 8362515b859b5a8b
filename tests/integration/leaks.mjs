// Looks for secrets where they must not be: in texts, files and the memory of a process, as they
// are and as base64 and hex write them.
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

// What base64 makes of a value inside other bytes: that depends on where it begins, so there are
// three, without the characters at both ends that its neighbours have a part in.
function base64Of(value) {
  return [0, 1, 2].map(offset => {
    const text = Buffer.concat([Buffer.alloc(offset), value]).toString('base64')
    const whole = Math.floor(((offset + value.length) * 8) / 6)
    return text.slice(Math.ceil((offset * 8) / 6), whole)
  })
}

// All the ways a secret (a text or bytes) may be written.
export function formsOf(secret) {
  const value = Buffer.from(secret)
  const base64 = base64Of(value)
  const urlSafe = base64.map(text => text.replaceAll('+', '-').replaceAll('/', '_'))
  const hex = value.toString('hex')
  const texts = [...base64, ...urlSafe, hex, hex.toUpperCase()]
  return [value, ...new Set(texts)].map(form => Buffer.from(form))
}

// Secrets by their names.
export class Canaries {
  constructor(secrets) {
    this.forms = Object.entries(secrets).map(([name, secret]) => [name, formsOf(secret)])
  }

  // The names of those that are in there.
  in(haystack) {
    const bytes = Buffer.isBuffer(haystack) ? haystack : Buffer.from(haystack)
    const has = ([, forms]) => forms.some(form => bytes.includes(form))
    return this.forms.filter(has).map(([name]) => name)
  }

  // The same of all files below a directory: 'NAME in FILE'.
  async inFiles(directory, except = []) {
    const found = []
    for (const file of await filesOf(directory)) {
      if (except.includes(file)) continue
      const bytes = await readFile(file).catch(() => Buffer.alloc(0)) // gone meanwhile, or a socket
      found.push(...this.in(bytes).map(name => `${name} in ${file}`))
    }
    return found
  }

  // The same of a process: 'NAME in MAP'. Maps that are not memory of its own, or a sanitizer's
  // terabytes, are passed over.
  async inMemory(pid) {
    const CHUNK = 1 << 24
    const OVERLAP = 1 << 16
    const memory = await open(`/proc/${pid}/mem`)
    const found = new Set()
    for (const line of (await readFile(`/proc/${pid}/maps`, 'utf8')).trim().split('\n')) {
      const [range, rights, , , , name = ''] = line.split(/\s+/)
      const [from, to] = range.split('-').map(hex => parseInt(hex, 16))
      if (!rights.startsWith('r') || name.startsWith('[v') || to - from > 1 << 30) continue
      for (let at = from; at < to; at += CHUNK - OVERLAP) {
        const bytes = Buffer.alloc(Math.min(CHUNK, to - at))
        const { bytesRead } = await memory.read(bytes, 0, bytes.length, at).catch(() => ({}))
        for (const canary of this.in(bytes.subarray(0, bytesRead ?? 0)))
          found.add(`${canary} in ${line}`)
      }
    }
    await memory.close()
    return [...found]
  }
}

export async function filesOf(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.path, entry.name))
}

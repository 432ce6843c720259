// What both scripts share: the test sends its facts and what the person's browser does on standard input.
import dns from 'node:dns'
import { createInterface } from 'node:readline'

export const given = JSON.parse(process.argv[2])
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

// Tells the test something, and waits for its answer.
export async function ask(step, facts) {
  console.log(JSON.stringify({ step, ...facts }))
  return (await lines.next()).value
}

export function tell(facts) {
  console.log(JSON.stringify({ step: 'done', ...facts }))
  process.exit(0)
}

// Not every resolver knows names under .localhost (RFC 6761 section 6.3).
const lookup = dns.lookup
dns.lookup = (host, ...rest) => lookup(host.endsWith('.localhost') ? '127.0.0.1' : host, ...rest)

export async function errorOf(promise) {
  try {
    await promise
    return null
  } catch (error) {
    return error.error ?? error.cause?.[0]?.parameters?.error ?? error.code ?? String(error)
  }
}

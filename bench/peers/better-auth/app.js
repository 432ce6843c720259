// better-auth with its twoFactor plugin, as its pages "Installation", "Express Integration", "SQLite" and "2FA" set it
// up. `node app.js` serves; `seed NUMBER` and `hash` are the commands that bench/peers/shared.py describes.
import fs from "node:fs";
import readline from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { Algorithm, hash, verify } from "@node-rs/argon2";
import { base32 } from "@better-auth/utils/base32";
import { createOTP } from "@better-auth/utils/otp";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { twoFactor } from "better-auth/plugins";
import Database from "better-sqlite3";
import express from "express";
import pg from "pg";

const { BENCH_DATABASE: url, BENCH_PASSWORD: password, BENCH_PORT: port, BENCH_STATEMENTS: statements } = process.env;
const ARGON2 = { algorithm: Algorithm.Argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1, outputLen: 32 };

function sqlite() {
  // the file of statements has the form that bench/peers/count_statements.py writes
  const verbose = statements && ((sql) => fs.appendFileSync(statements, `${database.inTransaction ? 1 : 0} ${sql}\n`));
  const database = new Database(url.replace("sqlite:///", ""), { verbose });
  database.pragma("journal_mode = WAL");
  return database;
}

const database = url.startsWith("sqlite") ? sqlite() : new pg.Pool({ connectionString: url });
const auth = betterAuth({
  appName: "Bench",
  database,
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (given) => hash(given, ARGON2),
      verify: ({ hash: encoded, password: given }) => verify(encoded, given, ARGON2),
    },
  },
  plugins: [twoFactor()],
  rateLimit: { enabled: false }, // all logins come from one address
});

function serve() {
  const app = express();
  app.all("/api/auth/*splat", toNodeHandler(auth));
  app.get("/api/me", async (request, response) => {
    const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
    response.status(session ? 200 : 401).json(session);
  });
  app.listen(port, "127.0.0.1");
}

// An account with TOTP, made by better-auth's own requests; all others are copies of its rows.
async function seed(count) {
  await (await getMigrations(auth.options)).runMigrations();
  const cookies = {};
  async function post(path, body) {
    const headers = { "content-type": "application/json", origin: process.env.BETTER_AUTH_URL };
    headers.cookie = Object.entries(cookies).map((pair) => pair.join("=")).join("; ");
    const address = new URL(`/api/auth${path}`, process.env.BETTER_AUTH_URL);
    const response = await auth.handler(new Request(address, { method: "POST", headers, body: JSON.stringify(body) }));
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split("=");
      cookies[name] = value;
    }
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
  await post("/sign-up/email", { name: "bench1", email: "bench1@example.org", password });
  const { totpURI } = await post("/two-factor/enable", { password });
  const secret = new URL(totpURI).searchParams.get("secret");
  const raw = new TextDecoder().decode(base32.decode(secret));
  await post("/two-factor/verify-totp", { code: await createOTP(raw).totp() });
  const first = (await rows('SELECT id FROM "user"'))[0].id;
  const user = `'u' || i`;
  await copy("user", first, count, { id: user, email: `'bench' || i || '@example.org'` });
  await copy("account", first, count, { id: `'a' || i`, accountId: user, userId: user });
  await copy("twoFactor", first, count, { id: `'t' || i`, userId: user });
  console.log(secret);
  process.exit();
}

async function rows(sql) {
  if (database instanceof pg.Pool) return (await database.query(sql)).rows;
  const statement = database.prepare(sql);
  return statement.reader ? statement.all() : statement.run();
}

async function copy(table, first, count, changed) {
  const owner = table === "user" ? "id" : "userId";
  const columns = Object.keys((await rows(`SELECT * FROM "${table}" LIMIT 1`))[0]);
  const names = columns.map((column) => `"${column}"`).join(", ");
  const values = columns.map((column) => changed[column] ?? `t."${column}"`).join(", ");
  await rows(`INSERT INTO "${table}" (${names}) WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n ` +
    `WHERE i < ${count}) SELECT ${values} FROM "${table}" t CROSS JOIN n WHERE t."${owner}" = '${first}'`);
}

// The hash runs on another thread, so the processor time of the process counts, not that of this thread.
async function cost(encoded) {
  await pause(20);
  const before = process.cpuUsage();
  await verify(encoded, password, ARGON2);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function hashes() {
  const encoded = await hash(password, ARGON2);
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const costs = [];
    for (let turn = 0; turn < 15; turn++) costs.push(await cost(encoded));
    console.log(costs.sort((a, b) => a - b)[7]);
  }
}

const [command, count] = process.argv.slice(2);
await ({ seed: () => seed(Number(count)), hash: hashes }[command] ?? serve)();

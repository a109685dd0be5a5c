import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallId } from '@earshot/contracts';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type Harness, startHarness, until as untilSoon } from '../../dashboard-api/test/harness.ts';
import { stopServers } from '../../host/test/postgres.ts';
import { type Browser, startBrowser } from './browser.ts';
import { type Cutter, startCutter } from './cutter.ts';

/** A whole browser, a server and a database beside other suites on two cores: what takes a second may take twenty. */
export const BROWSER = { timeout: 90_000 };
const WAIT_LIMIT_MS = 60_000;
const SIGNIN_TOKEN = 'from-npm-start';

export const until = <T>(what: string, probe: () => T | Promise<T>): Promise<NonNullable<T>> =>
  untilSoon(what, probe, WAIT_LIMIT_MS);

/** The page as it is built, in a browser, behind a connection that can be cut: all made anew for each test. */
export class PageUnderTest {
  browser!: Browser;
  h!: Harness;
  cutter!: Cutter;
  page!: Page;
  #pageDir = '';
  #complaints: string[] = [];

  async open(): Promise<void> {
    this.#pageDir = await mkdtemp(join(tmpdir(), 'es-page-'));
    await build({
      root: join(import.meta.dirname, '..'),
      logLevel: 'error',
      build: { outDir: this.#pageDir, emptyOutDir: true },
    });
    this.browser = await startBrowser();
  }

  async close(): Promise<void> {
    await this.browser.stop();
    await rm(this.#pageDir, { recursive: true, force: true });
  }

  async start(): Promise<void> {
    this.h = await startHarness({ signinToken: SIGNIN_TOKEN, pageDir: this.#pageDir, sipPort: 5070 });
    this.cutter = await startCutter(this.h.server.port);
    this.page = await this.browser.context.newPage();
    this.page.setDefaultTimeout(WAIT_LIMIT_MS);
    this.#complaints = [];
    this.page.on('pageerror', (error) => this.#complaints.push(error.message));
    this.page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) this.#complaints.push(message.text());
    });
  }

  async stop(): Promise<void> {
    await this.page.close();
    await this.browser.context.clearCookies();
    await this.cutter.stop();
    await this.h.stop();
    expect(this.#complaints).toEqual([]);
  }

  get base(): string {
    return `http://127.0.0.1:${this.cutter.port}`;
  }
  get signInLink(): string {
    return `${this.base}/signin?token=${SIGNIN_TOKEN}`;
  }

  async signIn(): Promise<void> {
    await this.page.goto(this.signInLink);
    await this.page.locator('.connection.live').waitFor();
  }

  /** Resolves when the page has the call and hears of it: a partial that comes sooner is of a call that it does not know. */
  async openCall(call: CallId): Promise<void> {
    await this.page.goto(`${this.base}/calls/${call}`);
    await this.page.locator('.call-head').waitFor();
    await this.page.locator('.connection.live').waitFor();
    await this.page.locator('.top-fact', { hasText: 'live' }).waitFor();
  }

  /** Ids of the finals on the page, in its order. */
  finals(): Promise<string[]> {
    return this.page
      .locator('.segment.final')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-segment') ?? ''));
  }
}

/** Within a describe that is skipped without Chromium. */
export function usePage(): PageUnderTest {
  const tested = new PageUnderTest();
  beforeAll(() => tested.open());
  afterAll(async () => {
    await tested.close();
    await stopServers();
  });
  beforeEach(() => tested.start());
  afterEach(() => tested.stop());
  return tested;
}

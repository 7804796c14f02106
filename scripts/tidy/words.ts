import type { Finding, ProjectFile, Rule } from './project.ts'

/** A word that has another place or another spelling here. */
type Word = {
  /** What is not to be written; global. */
  pattern: RegExp
  /** The files it is looked for in. */
  where: RegExp
  /** Files where it is at home. */
  except?: RegExp
  /** True: comments may say it, code may not. */
  onlyCode?: boolean
  /** What to write instead. */
  instead: string
}

const EVERYWHERE = /^(?:src|clients|examples|scripts|bench|proto|test|docs)\/|^README\.md$/
const INSIDE = /^src\/|^proto\//
const PROSE = /\.(?:md|proto)$/

/** One meaning a word: the glossary is in docs/architecture.md, under "Words". */
const WORDS: readonly Word[] = [
  {
    pattern: /(?<!Standard )webhooks?(?![-_a-z]*(?:id|timestamp|signature|attempt)\b)/gi,
    where: INSIDE,
    // OpenAPI has a field of this name, for what a server sends; the package that signs is called so.
    except: /^src\/facade\/docs\/openapi|^src\/dispatcher\/deliver\/sign\.ts$/,
    instead: 'callback (from Daraja) or delivery (to a partner); webhook is for the headers’ names only',
  },
  {
    pattern: /\btransaction_?ids?\b/gi,
    where: /^src\//,
    // Daraja calls a receipt transactionId in its Pull Transactions.
    except: /^src\/(?:facade|local|simulator)\/|^src\/core\/(?:outbox|daraja)\//,
    onlyCode: true,
    instead: 'payment id; transaction_id is on the partners’ wire only',
  },
  {
    pattern: /\b(?:phone|phoneNumber|phone_number)\b/g,
    where: /^src\/(?:core|database|dispatcher|queue|cli|values)\//,
    // Whoever types `--phone` says it as the payer does, and so do sentences for payers.
    except:
      /^src\/core\/(?:deliveries|outbox)\/|^src\/core\/payments\/failures\.ts$|^src\/cli\/(?:payers|list-payments|call-service)\.ts$/,
    onlyCode: true,
    instead: 'msisdn; phone is on the partners’ wire only',
  },
  {
    pattern: /\b(?:send|post|deliver|retry|queue|failed|due|pending)_?callbacks?(?!_?url)/gi,
    where: /^src\/(?:dispatcher|queue|core\/(?:deliveries|outbox))\//,
    instead: 'delivery or attempt; a callback is what Daraja posts to us',
  },
  {
    pattern: /\b(?:partner['’]s|partners['’]|partner) callbacks?\b(?! (?:url|host|address))/gi,
    where: /^(?:src|proto)\/|^docs\/(?!partner-guide)|^README/,
    instead: 'delivery; a callback is what Daraja posts to us',
  },
  {
    pattern: /\b(?:customer|subscriber_?number|payer_?phone)s?\b/g,
    where: INSIDE,
    instead: 'payer',
  },
  {
    pattern: /\bidempotenc[ey][ _-]?tokens?\b|\bidempotence[ _-]?keys?\b/gi,
    where: EVERYWHERE,
    instead: 'idempotency key',
  },
  { pattern: /\bdead[-_]?letter(?:ed|ing)\b|\bdeadletter/gi, where: EVERYWHERE, instead: 'dead' },
  {
    pattern: /\b(?:KSh|Kshs|KES\.|Ksh|Jetstream|Grpc|GRPC)\b/g,
    where: EVERYWHERE,
    instead: 'KES, JetStream, gRPC',
  },
  {
    pattern: /\b(?:Mpesa|MPesa|M-Pesa|M-pesa|MPESA|Postgre|PostgreSql|PostgresSQL|PostgresQL|PostGres)\b/g,
    where: PROSE,
    instead: 'M-PESA, Postgres',
  },
]

const DRAWERS = /(?:^|\/)(?:utils?|helpers?|common|lib|misc|shared|index)(?:\/|\.m?ts$)/

/** Finds words that are not the glossary's, and files named after no thing at all. */
export const words: Rule = (files) => files.flatMap((file) => [...drawer(file), ...WORDS.flatMap(look(file))])

const drawer = ({ path }: ProjectFile): Finding[] =>
  DRAWERS.test(path) && !path.endsWith('.json')
    ? [{ path, line: 1, problem: 'a file is named after the one thing in it, not after a drawer' }]
    : []

const look =
  (file: ProjectFile) =>
  (word: Word): Finding[] => {
    if (!word.where.test(file.path) || word.except?.test(file.path) || isAboutWords(file)) return []
    return file.text.split('\n').flatMap((text, index) => {
      if (word.onlyCode && isComment(text)) return []
      return [...text.matchAll(word.pattern)].map(([found]) => ({
        path: file.path,
        line: index + 1,
        problem: `"${found}": write ${word.instead}`,
      }))
    })
  }

const isComment = (line: string): boolean => /^\s*(?:\/\/|\/?\*)/.test(line)

/** This rule and its test write down what nobody else may. */
const isAboutWords = ({ path }: ProjectFile): boolean => /^(?:test\/)?scripts\/tidy.*words/.test(path)

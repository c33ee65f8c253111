/** What the component says, in each language. `addWords` adds one. */

import { report } from "../../client/browser.ts";
import type { BelfryError, ProblemCode, Status, View } from "../../client/index.ts";
import { languageTag } from "./language.ts";

export interface Words {
  readonly title: string;
  readonly bell: (count: number) => string;
  readonly views: Readonly<Record<View, string>>;
  readonly empty: Readonly<Record<View, string>>;
  readonly emptyHint: Readonly<Record<View, string>>;
  readonly status: Readonly<Record<Status, string>>;
  /** Of what the user did, and the server was not told yet. */
  readonly waiting: (count: number) => string;
  readonly unread: (count: number) => string;
  readonly unreadItem: string;
  readonly severity: { readonly medium: string; readonly high: string };
  readonly markAllRead: string;
  readonly archiveAll: string;
  readonly more: string;
  readonly actions: (title: string) => string;
  readonly markRead: string;
  readonly markUnread: string;
  readonly archive: string;
  readonly unarchive: string;
  readonly remove: string;
  readonly loading: string;
  readonly end: string;
  readonly retry: string;
  readonly close: string;
  readonly sound: string;
  readonly desktop: string;
  readonly desktopDenied: string;
  readonly arrived: (count: number, title: string) => string;
  readonly newer: (count: number) => string;
  readonly failed: string;
  /** What is wrong and what to do; the library's own words where it is not here. */
  readonly problems: Partial<Readonly<Record<ProblemCode, readonly [string, string]>>>;
}

const en: Words = {
  title: "Notifications",
  bell: (count) => (count ? `Notifications, ${count} new` : "Notifications"),
  views: { all: "All", unread: "Unread", archived: "Archived" },
  empty: { all: "You're all caught up", unread: "Nothing unread", archived: "Nothing archived" },
  emptyHint: {
    all: "What is new appears here at once.",
    unread: "You have read everything.",
    archived: "What you put away is kept here.",
  },
  status: {
    syncing: "Connecting…",
    online: "Online",
    polling: "No live connection; looking every few seconds",
    offline: "Offline; showing what was here",
    refused: "Not connected",
  },
  waiting: (count) => (count === 1 ? "· 1 change waits to be sent" : `· ${count} changes wait to be sent`),
  unread: (count) => `${count} unread`,
  unreadItem: "Unread",
  severity: { medium: "Important", high: "Urgent" },
  markAllRead: "Mark all read",
  archiveAll: "Archive all",
  more: "More actions",
  actions: (title) => `Actions for ${title}`,
  markRead: "Mark read",
  markUnread: "Mark unread",
  archive: "Archive",
  unarchive: "Move to inbox",
  remove: "Delete",
  loading: "Loading…",
  end: "That was all.",
  retry: "Try again",
  close: "Close",
  sound: "Sound",
  desktop: "Desktop notifications",
  desktopDenied: "Your browser blocks desktop notifications of this site.",
  arrived: (count, title) => (count === 1 ? `New notification: ${title}` : `${count} new notifications`),
  newer: (count) => (count === 1 ? "1 new notification" : `${count} new notifications`),
  failed: "That did not work, and was taken back.",
  problems: {},
};

const zhCN: Words = {
  title: "通知",
  bell: (count) => (count ? `通知，${count} 条新通知` : "通知"),
  views: { all: "全部", unread: "未读", archived: "已归档" },
  empty: { all: "没有新通知", unread: "没有未读通知", archived: "没有已归档的通知" },
  emptyHint: { all: "新通知会立即显示在这里。", unread: "您已全部读完。", archived: "归档的通知会保留在这里。" },
  status: {
    syncing: "正在连接…",
    online: "在线",
    polling: "无实时连接，每隔几秒刷新",
    offline: "离线，显示已有内容",
    refused: "未连接",
  },
  waiting: (count) => `· ${count} 项更改等待发送`,
  unread: (count) => `${count} 条未读`,
  unreadItem: "未读",
  severity: { medium: "重要", high: "紧急" },
  markAllRead: "全部标为已读",
  archiveAll: "全部归档",
  more: "更多操作",
  actions: (title) => `“${title}”的操作`,
  markRead: "标为已读",
  markUnread: "标为未读",
  archive: "归档",
  unarchive: "移回收件箱",
  remove: "删除",
  loading: "正在加载…",
  end: "没有更多了。",
  retry: "重试",
  close: "关闭",
  sound: "声音",
  desktop: "桌面通知",
  desktopDenied: "浏览器已阻止此网站的桌面通知。",
  arrived: (count, title) => (count === 1 ? `新通知：${title}` : `${count} 条新通知`),
  newer: (count) => `${count} 条新通知`,
  failed: "操作失败，已撤销。",
  problems: {
    no_token: ["没有令牌。", "请用属性 token 或函数 getToken 提供令牌。"],
    bad_token: ["这不是有效的令牌。", "请提供 JWT，其 sub 为用户的 id。"],
    token_refused: ["令牌被拒绝。", "它已过期，或签名密钥与服务器不同。"],
    no_scope: ["令牌没有权限。", "签发令牌时请在 scope 中包含 inbox。"],
    bad_address: ["地址无效。", "请提供类似 https://belfry.example.com 的地址。"],
    unreachable: ["无法连接 Belfry。", "它在运行吗？地址对吗？会自动重试。"],
    cors_refused: ["服务器不允许本页面访问。", "请在服务器的 CORS_ORIGINS 中加入本页面的来源。"],
    not_belfry: ["应答的不是 Belfry。", "请提供 Belfry API 的地址。"],
    incompatible: ["无法理解服务器的应答。", "请加载服务器自带的脚本。会自动重试。"],
    unavailable: ["服务器暂时不可用。", "会自动重试。"],
  },
};

const TABLE = new Map<string, Words>([
  ["en", en],
  ["zh", zhCN],
]);

/** Teach the component a language; what `words` lacks, or has in another form, is said in English. */
export function addWords(language: string, words: Partial<Words>): void {
  const tag = languageTag(language);
  if (tag) TABLE.set(tag.toLowerCase(), completed(en, words));
  else report(new RangeError(`addWords: “${language}” is not a language such as de or pt-BR.`));
}

/** The words of a language such as `zh-CN`, of its first parts, or English. */
export function wordsOf(language: string): Words {
  return find(language) ?? en;
}

/** The language itself where there are words for it, else English: times are told in the language of the words. */
export function spoken(language: string): string {
  return find(language) ? language : "en";
}

function find(language: string): Words | undefined {
  const parts = language.toLowerCase().split("-");
  for (; parts.length > 0; parts.pop()) {
    const words = TABLE.get(parts.join("-"));
    if (words) return words;
  }
  return undefined;
}

/** `own` where it has the form of `base`; a function of it that throws is reported, and `base` says it instead. */
function completed<Whole>(base: Whole, own: unknown): Whole {
  if (typeof own !== typeof base || own === null || Array.isArray(own) !== Array.isArray(base)) return base;
  if (typeof base === "function") return guarded(base as unknown as Saying, own as Saying) as Whole;
  if (typeof base !== "object" || base === null || Array.isArray(base)) return own as Whole;
  const whole: Record<string, unknown> = { ...(own as object) };
  for (const [name, value] of Object.entries(base)) whole[name] = completed(value, whole[name]);
  return whole as Whole;
}

type Saying = (...told: never[]) => string;

function guarded(base: Saying, own: Saying): Saying {
  let failed = false;
  return (...told) => {
    try {
      return String(own(...told));
    } catch (error) {
      if (!failed) report(error);
      failed = true;
      return base(...told);
    }
  };
}

export function inWords(words: Words, problem: BelfryError): { what: string; advice: string } {
  const own: unknown = words.problems[problem.code];
  const [what, advice] = Array.isArray(own) ? own : [problem.message, problem.advice];
  return { what: String(what), advice: String(advice ?? "") };
}

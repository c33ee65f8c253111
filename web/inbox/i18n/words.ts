/** The texts of the component in one language. */

import type { ProblemCode, Status, View } from "../../client/index.ts";

export interface Words {
  readonly title: string;
  readonly bell: (count: number) => string;
  readonly views: Readonly<Record<View, string>>;
  readonly empty: Readonly<Record<View, string>>;
  readonly emptyHint: Readonly<Record<View, string>>;
  readonly status: Readonly<Record<Status, string>>;
  /** The user's changes that wait to be sent. */
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
  /** For each error what is wrong and what to do. A code that is missing is shown with the error's own texts. */
  readonly problems: Partial<Readonly<Record<ProblemCode, readonly [string, string]>>>;
}

import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import type { Action } from './api/types'
import { useSession } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Words of the page's title. */
    title?: string
    /** Any of these lets a person in; absent: everybody. */
    needs?: Action[]
    /** The page draws its own frame. */
    bare?: boolean
  }
}

export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', component: () => import('./pages/Start.vue') },
    { path: '/login', component: () => import('./pages/Login.vue'), meta: { title: 'login.title' } },
    { path: '/desk', component: () => import('./pages/Desk.vue'), meta: { title: 'nav.desk', needs: ['sit'] } },
    {
      path: '/wallboard',
      component: () => import('./pages/Wallboard.vue'),
      meta: { title: 'nav.wallboard', needs: ['see_floor'], bare: true },
    },
    { path: '/try', component: () => import('./pages/Try.vue'), meta: { title: 'nav.try' } },
    { path: '/calls/:id?', component: () => import('./pages/Calls.vue'), meta: { title: 'nav.calls', needs: ['see_calls'] } },
    {
      path: '/orders/:code?',
      component: () => import('./pages/Orders.vue'),
      meta: { title: 'nav.orders', needs: ['see_orders'] },
    },
    {
      path: '/admin',
      component: () => import('./pages/Admin.vue'),
      meta: { title: 'nav.admin', needs: ['manage_users', 'manage_seats'] },
    },
    { path: '/:rest(.*)*', component: () => import('./pages/Lost.vue') },
  ],
})

/** Where somebody who may not see `to` is sent; undefined lets them in. */
export function gate(to: Pick<RouteLocationNormalized, 'meta' | 'fullPath'>) {
  const session = useSession()
  const { needs } = to.meta
  if (!needs || session.trouble) return undefined
  if (!session.me) return { path: '/login', query: { to: to.fullPath } }
  return needs.some(session.may) ? undefined : { path: '/', query: { refused: '1' } }
}

router.beforeEach((to) => gate(to) ?? true)

import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { whenLoggedOut } from './api/client'
import App from './App.vue'
import { i18n } from './i18n'
import { router } from './router'
import { useSession } from './stores/session'
import './style.css'
import './theme'

const app = createApp(App).use(createPinia()).use(i18n)
const session = useSession()
whenLoggedOut(() => session.forget())
// Who is there decides which pages there are: ask first, then route.
void session.begin().then(() => app.use(router).mount('#app'))

// The least that a person would write with Socket.IO: rooms, an echo to the room, an acknowledgement. No sign-in, no
// log, no rules. It has the party's pings, so that both do the same while nothing happens.
const { createServer } = require('node:http')
const { Server } = require('socket.io')

const web = createServer()
const io = new Server(web, {
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
  pingInterval: 15_000,
  pingTimeout: 10_000,
})

io.on('connection', (socket) => {
  socket.on('watch', ({ room }, answer) => {
    socket.join(room)
    answer({ ok: true })
  })
  socket.on('message', (message, answer) => {
    io.to(message.room).emit('message', message)
    answer({ ok: true })
  })
  socket.on('nothing', (_, answer) => answer({ ok: true }))
})

web.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => console.log(`http://127.0.0.1:${web.address().port}/`))

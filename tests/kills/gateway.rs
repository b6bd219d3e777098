//! The way to a database: shut at first, as if no server was there.

use std::path::PathBuf;

use tokio::net::{TcpSocket, UnixStream};

use crate::place::Place;

/// A port that refuses whoever comes, until it is opened.
pub struct Gateway {
    socket: TcpSocket,
    to: PathBuf,
}

impl Place {
    /// From now on nodes that are started find the database behind this gateway.
    pub fn behind_a_gateway(&self) -> Gateway {
        let file = self.folder.path().join("node-url");
        let url = std::fs::read_to_string(&file).expect("a file");
        let (name, folder) = url.split_once("?host=").expect("the folder of the server's socket");
        let (role, database) = name.split_once("@localhost/").expect("a role and a database");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = socket.local_addr().expect("bound");
        std::fs::write(file, format!("{role}@{address}/{database}")).expect("a file");
        Gateway { socket, to: PathBuf::from(folder).join(".s.PGSQL.5432") }
    }
}

impl Gateway {
    /// Lets everybody through, for as long as the test lasts.
    pub fn open(self) {
        let (listener, to) = (self.socket.listen(64).expect("a listener"), self.to);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.expect("a connection");
                let to = to.clone();
                tokio::spawn(async move {
                    let mut server = UnixStream::connect(&to).await.expect("the database");
                    // Either side may hang up.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
    }
}

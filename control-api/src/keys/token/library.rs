//! A PKCS #11 library. It is loaded and initialised once a process, and one thread makes all its calls.
//!
//! Libraries differ in what they remember of a token that was away: some find it again, some only after `C_Finalize`. So an
//! order that finds its token lost is tried once more over the library begun anew, and after that it has failed. With one
//! thread nobody else is within the library then (PKCS #11 §5.4 leaves open what happened to them), and a token that hangs
//! holds one thread, whatever waits for it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{error::TokenError, logged_in::LoggedIn, settings::Settings};
use crate::limits::{TOKEN_CALL_TIMEOUT, TOKEN_ORDERS_MAX};

/// The thread of each library, by its path.
static LIBRARIES: Mutex<BTreeMap<PathBuf, Library>> = Mutex::new(BTreeMap::new());

#[derive(Clone)]
pub struct Library {
    orders: mpsc::Sender<Box<dyn Order>>,
    busy: Arc<Busy>,
}

/// Since when the thread is within an order.
#[derive(Default)]
struct Busy(Mutex<Option<Instant>>);

impl Busy {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether it has not come back in the time that an order has.
    fn is_stuck(&self) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > TOKEN_CALL_TIMEOUT)
    }
}

/// Something to do in a token.
trait Order: Send {
    fn settings(&self) -> &Arc<Settings>;
    /// Whether somebody still waits for it.
    fn is_awaited(&self) -> bool;
    /// Does it, and keeps what comes of it.
    fn attempt(&mut self, token: &mut LoggedIn) -> Result<(), TokenError>;
    /// Hands out what came of it, or why it was not done.
    fn answer(self: Box<Self>, error: Option<TokenError>);
}

struct Work<T, F> {
    settings: Arc<Settings>,
    work: F,
    done: Option<T>,
    answer: oneshot::Sender<Result<T, TokenError>>,
}

impl<T: Send, F: FnMut(&mut LoggedIn) -> Result<T, TokenError> + Send> Order for Work<T, F> {
    fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn attempt(&mut self, token: &mut LoggedIn) -> Result<(), TokenError> {
        self.done = Some((self.work)(token)?);
        Ok(())
    }

    fn answer(self: Box<Self>, error: Option<TokenError>) {
        let undone = || TokenError::Lost("the call was not made".to_owned());
        let outcome = match error {
            Some(error) => Err(error),
            None => self.done.ok_or_else(undone),
        };
        // Whoever waited may have given up.
        let _ = self.answer.send(outcome);
    }
}

impl Library {
    /// Has something done in a token. Behind a call that does not come back nobody waits for their own time.
    pub async fn order<T: Send + 'static>(
        settings: &Arc<Settings>,
        work: impl FnMut(&mut LoggedIn) -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, TokenError> {
        let library = Self::at(settings.library())?;
        if library.busy.is_stuck() {
            return Err(TokenError::Lost("an earlier call has not come back yet".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        let order = Box::new(Work { settings: settings.clone(), work, done: None, answer });
        let ended = || TokenError::Lost("the library's thread has ended".to_owned());
        let done = timeout(TOKEN_CALL_TIMEOUT, async {
            library.orders.send(order).await.map_err(|_| ended())?;
            answered.await.unwrap_or_else(|_| Err(ended()))
        });
        let late = || Err(TokenError::Lost(format!("no answer within {TOKEN_CALL_TIMEOUT:?}")));
        done.await.unwrap_or_else(|_| late())
    }

    /// The library at this path, one however it is named.
    fn at(path: &Path) -> Result<Self, TokenError> {
        let path = fs::canonicalize(path).map_err(|error| not_loaded(path, &error.to_string()))?;
        let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = libraries.get(&path).filter(|library| !library.orders.is_closed()) {
            return Ok(library.clone());
        }
        let (orders, taken) = mpsc::channel(TOKEN_ORDERS_MAX);
        let library = Self { orders, busy: Arc::default() };
        let of_thread = (path.clone(), library.busy.clone());
        let serve = move || serve(&of_thread.0, &of_thread.1, taken);
        let started = thread::Builder::new().name("token".to_owned()).spawn(serve);
        started.map_err(|error| TokenError::Lost(error.to_string()))?;
        libraries.insert(path, library.clone());
        Ok(library)
    }
}

/// Carries out orders for as long as the process lives.
fn serve(path: &Path, busy: &Busy, mut orders: mpsc::Receiver<Box<dyn Order>>) {
    // Never unloaded once it is there: not all libraries survive that.
    let (mut loaded, mut again) = (None, None);
    while let Some(order) = again.take().or_else(|| orders.blocking_recv()) {
        busy.set(Some(Instant::now()));
        match begin(path, &mut loaded) {
            Ok(library) => {
                again = serve_until_lost(&library, busy, order, &mut orders);
                busy.set(Some(Instant::now()));
                if let Err(error) = library.finalize() {
                    tracing::debug!(%error, "a PKCS #11 library did not end in order");
                }
            }
            Err(error) => order.answer(Some(error)),
        }
        busy.set(None);
    }
}

/// Ends with a token that is lost, and the order that found it so, unless that was the first.
fn serve_until_lost(
    library: &Pkcs11,
    busy: &Busy,
    mut order: Box<dyn Order>,
    orders: &mut mpsc::Receiver<Box<dyn Order>>,
) -> Option<Box<dyn Order>> {
    let (mut tokens, mut is_first) = (BTreeMap::new(), true);
    loop {
        busy.set(Some(Instant::now()));
        let outcome = carry_out(library, &mut tokens, &mut *order);
        busy.set(None);
        match outcome {
            Err(TokenError::Lost(_)) if !is_first => return Some(order),
            Err(error @ TokenError::Lost(_)) => {
                order.answer(Some(error));
                return None;
            }
            outcome => order.answer(outcome.err()),
        }
        is_first = false;
        order = orders.blocking_recv()?;
    }
}

/// Over the connection that there is, else, or where that one is lost, over a new one.
fn carry_out(
    library: &Pkcs11,
    tokens: &mut BTreeMap<String, LoggedIn>,
    order: &mut dyn Order,
) -> Result<(), TokenError> {
    let settings = order.settings().clone();
    if !order.is_awaited() {
        return Ok(());
    }
    if let Some(mut token) = tokens.remove(settings.token()) {
        let outcome = order.attempt(&mut token);
        if !matches!(outcome, Err(TokenError::Lost(_))) {
            tokens.insert(settings.token().to_owned(), token);
            return outcome;
        }
        token.leave();
    }
    let mut token = LoggedIn::to(library, &settings)?;
    let outcome = order.attempt(&mut token);
    match &outcome {
        Err(TokenError::Lost(_)) => token.leave(),
        _ => drop(tokens.insert(settings.token().to_owned(), token)),
    }
    outcome
}

fn begin(path: &Path, loaded: &mut Option<Pkcs11>) -> Result<Pkcs11, TokenError> {
    let library = match loaded {
        Some(library) => library.clone(),
        None => Pkcs11::new(path).map_err(|error| not_loaded(path, &error.to_string()))?,
    };
    *loaded = Some(library.clone());
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(library),
        Err(error) => Err(error.into()),
    }
}

fn not_loaded(path: &Path, why: &str) -> TokenError {
    TokenError::Misconfigured(format!("its library {} cannot be loaded: {why}", path.display()))
}

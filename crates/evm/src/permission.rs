//! Who may transact, create and call: the rule of [`contracts::permission`], on the state before the block.
//!
//! A transaction that breaks it is not executed. Whoever calls a paused contract inside of one, or creates a contract while
//! that is paused, gets a revert that says so: no contract is a way around a pause.

use crate::{
    environment::Environment,
    overlay::{Overlay, View, ViewError},
    transaction::{Invalid, tx_env},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{Revert, SolError as _};
use contracts::permission::{Asked, Denied, admit, pass};
use revm::{
    Database, Inspector,
    context::{Block as _, ContextSetters, ContextTr, Evm, FrameStack, JournalTr, TxEnv},
    context_interface::{
        context::ContextError,
        result::{EVMError, ExecutionResult, ResultAndState},
    },
    handler::{
        EthFrame, EvmTr, FrameInitOrResult, FrameResult, Handler as _, ItemOrResult,
        MainnetHandler, PrecompileProvider,
        evm::{ContextDbError, FrameInitResult},
        instructions::InstructionProvider,
    },
    inspector::{InspectorEvmTr, InspectorHandler as _, JournalExt},
    interpreter::{
        CallOutcome, CreateOutcome, FrameInput, Gas, InstructionResult, InterpreterResult,
        interpreter::EthInterpreter, interpreter_action::FrameInit,
    },
    state::EvmState,
};
use types::{StateKey, Transaction};

impl Environment {
    /// Whether this transaction may be executed on the parent state, whatever the overlay has written over it.
    ///
    /// # Errors
    /// As [`Overlay::read`].
    pub fn permit(
        &self,
        transaction: &Transaction,
        overlay: &mut Overlay,
        view: &impl View,
    ) -> Result<Result<(), Invalid>, ViewError> {
        if self.governed.is_none() {
            return Ok(Ok(()));
        }
        let permitted = permit(transaction, self.timestamp, |address, slot| {
            overlay.slot_before(view, StateKey::Slot(address, slot))
        });
        Ok(permitted?.map(drop))
    }
}

/// Gives the sender's organization; zero for none.
fn permit(
    transaction: &Transaction,
    timestamp: u64,
    before: impl FnMut(Address, U256) -> Result<U256, ViewError>,
) -> Result<Result<B256, Invalid>, ViewError> {
    let asked = Asked {
        sender: transaction.signer(),
        to: transaction.envelope().to(),
        timestamp,
    };
    Ok(admit(&asked, before)?.map_err(Invalid::Denied))
}

/// A state whose values before the block can be read.
pub(crate) trait Before {
    /// A slot as it was.
    fn slot_before(&mut self, address: Address, slot: U256) -> Result<U256, ViewError>;
}

/// What an execution would change, or why it cannot start.
pub(crate) type Executed = Result<ResultAndState, Invalid>;

/// An EVM that asks before each call and creation, if its network is governed.
pub(crate) struct Governed<EVM> {
    evm: EVM,
    governed: bool,
}

impl<EVM> Governed<EVM> {
    pub(crate) const fn new(evm: EVM, governed: bool) -> Self {
        Self { evm, governed }
    }
}

impl<CTX, INSP, I, P> Governed<Evm<CTX, INSP, I, P, EthFrame<EthInterpreter>>>
where
    CTX: ContextSetters<Tx = TxEnv> + ContextTr<Journal: JournalTr<State = EvmState>>,
    CTX::Db: Database<Error = ViewError> + Before,
    I: InstructionProvider<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    /// The database below.
    pub(crate) fn database(&mut self) -> &mut CTX::Db {
        self.evm.ctx.db_mut()
    }

    /// Whether a transaction may be executed. Gives the sender's organization; zero for none.
    pub(crate) fn permit(
        &mut self,
        transaction: &Transaction,
    ) -> Result<Result<B256, Invalid>, ViewError> {
        if !self.governed {
            return Ok(Ok(B256::ZERO));
        }
        let timestamp = self.timestamp();
        let database = self.database();
        permit(transaction, timestamp, |address, slot| {
            database.slot_before(address, slot)
        })
    }

    /// Executes a transaction. The journal is empty afterwards, however it ended.
    pub(crate) fn transact(&mut self, transaction: &Transaction) -> Result<Executed, ViewError> {
        self.evm.ctx.set_tx(tx_env(transaction));
        let result = MainnetHandler::default().run(self);
        self.ended(result)
    }

    /// Executes what anybody might ask, watched by an inspector.
    pub(crate) fn inspect(&mut self, tx: TxEnv) -> Result<Executed, ViewError>
    where
        CTX: ContextTr<Journal: JournalExt>,
        INSP: Inspector<CTX, EthInterpreter>,
    {
        self.evm.ctx.set_tx(tx);
        let result = MainnetHandler::default().inspect_run(self);
        self.ended(result)
    }

    /// Tells reads that are missing and faults, which end the attempt, from what is the message's own fault.
    fn ended(
        &mut self,
        result: Result<ExecutionResult, EVMError<ViewError>>,
    ) -> Result<Executed, ViewError> {
        let state = self.evm.ctx.journal_mut().finalize();
        match result {
            Ok(result) => Ok(Ok(ResultAndState::new(result, state))),
            Err(EVMError::Database(fault)) => Err(fault),
            Err(EVMError::Transaction(reason)) => Ok(Err(reason.into())),
            Err(other) => Ok(Err(Invalid::Other(other.to_string()))),
        }
    }

    fn timestamp(&self) -> u64 {
        self.evm.ctx.block().timestamp().saturating_to()
    }

    fn denied(&mut self, input: &FrameInput) -> Result<Option<Denied>, ViewError> {
        let to = match input {
            FrameInput::Call(call) => Some(call.bytecode_address),
            FrameInput::Create(_) => None,
            FrameInput::Empty => return Ok(None),
        };
        let timestamp = self.timestamp();
        let database = self.database();
        let passed = pass(to, timestamp, |address, slot| {
            database.slot_before(address, slot)
        })?;
        Ok(passed.err())
    }
}

/// What a call or creation that may not be gives instead.
fn refusal(input: &FrameInput, denied: &Denied) -> FrameResult {
    let reverted = |gas_limit| InterpreterResult {
        result: InstructionResult::Revert,
        output: Revert::from(denied.to_string()).abi_encode().into(),
        gas: Gas::new(gas_limit),
    };
    match input {
        FrameInput::Create(create) => {
            FrameResult::Create(CreateOutcome::new(reverted(create.gas_limit()), None))
        }
        FrameInput::Call(call) => FrameResult::Call(CallOutcome::new(
            reverted(call.gas_limit),
            call.return_memory_offset.clone(),
        )),
        FrameInput::Empty => FrameResult::Call(CallOutcome::new(reverted(0), 0..0)),
    }
}

impl<CTX, INSP, I, P> EvmTr for Governed<Evm<CTX, INSP, I, P, EthFrame<EthInterpreter>>>
where
    CTX: ContextSetters<Tx = TxEnv> + ContextTr<Journal: JournalTr<State = EvmState>>,
    CTX::Db: Database<Error = ViewError> + Before,
    I: InstructionProvider<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    type Context = CTX;
    type Instructions = I;
    type Precompiles = P;
    type Frame = EthFrame<EthInterpreter>;

    fn all(&self) -> (&CTX, &I, &P, &FrameStack<Self::Frame>) {
        self.evm.all()
    }

    fn all_mut(&mut self) -> (&mut CTX, &mut I, &mut P, &mut FrameStack<Self::Frame>) {
        self.evm.all_mut()
    }

    fn frame_init(
        &mut self,
        frame: FrameInit,
    ) -> Result<FrameInitResult<'_, Self::Frame>, ContextDbError<CTX>> {
        if self.governed
            && let Some(denied) = self.denied(&frame.frame_input).map_err(ContextError::Db)?
        {
            return Ok(ItemOrResult::Result(refusal(&frame.frame_input, &denied)));
        }
        self.evm.frame_init(frame)
    }

    fn frame_run(&mut self) -> Result<FrameInitOrResult<Self::Frame>, ContextDbError<CTX>> {
        self.evm.frame_run()
    }

    fn frame_return_result(
        &mut self,
        result: FrameResult,
    ) -> Result<Option<FrameResult>, ContextDbError<CTX>> {
        self.evm.frame_return_result(result)
    }
}

impl<CTX, INSP, I, P> InspectorEvmTr for Governed<Evm<CTX, INSP, I, P, EthFrame<EthInterpreter>>>
where
    CTX: ContextSetters<Tx = TxEnv> + ContextTr<Journal: JournalTr<State = EvmState> + JournalExt>,
    CTX::Db: Database<Error = ViewError> + Before,
    INSP: Inspector<CTX, EthInterpreter>,
    I: InstructionProvider<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    type Inspector = INSP;

    fn all_inspector(&self) -> (&CTX, &I, &P, &FrameStack<Self::Frame>, &INSP) {
        self.evm.all_inspector()
    }

    fn all_mut_inspector(
        &mut self,
    ) -> (
        &mut CTX,
        &mut I,
        &mut P,
        &mut FrameStack<Self::Frame>,
        &mut INSP,
    ) {
        self.evm.all_mut_inspector()
    }
}

#[cfg(test)]
mod tests;

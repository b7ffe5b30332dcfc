/* Helpers that every diagram of the project includes as text. ES5, as the documents' own engine had it. */
var system = {
    InteractionID : undefined,
    CallUUID : undefined,
    OriginatingSession : undefined,
    ThisDN : undefined,
    LastErrorEventName : undefined,
    LastErrorDescription : undefined,
    BaseURL : __GetDocumentURL().substring(0, __GetDocumentURL().lastIndexOf('/') + 1),
    TerminateIxnOnExit : 1
};

function isDeletion(event) {
    return event.data.resultof === undefined || event.data.resultof == 'deletion';
}

function isVoice(interactionId) {
    var ixn = _genesys.ixn.interactions[interactionId];
    return ixn !== undefined && typeof ixn.voice != 'undefined';
}

function rememberError(event) {
    system.LastErrorEventName = event.name;
    system.LastErrorDescription = event.data !== undefined ? event.data.description : undefined;
    __Log('[' + event.name + '] ' + event.toSource(), 'error', 2);
}

/* What a subroutine answers, as an object. */
function parseAnswer(text) {
    return eval('(' + text + ')');
}

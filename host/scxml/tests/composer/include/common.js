// Helpers that every generated document includes.
function baseUrl() {
  var url = __GetDocumentURL();
  return url.substring(0, url.lastIndexOf('/'));
}

function startSystem(system) {
  var ixn = _genesys.ixn.interactions[system.InteractionID];
  system.ANI = ixn && ixn.voice ? ixn.voice.ani : undefined;
  system.DNIS = ixn && ixn.voice ? ixn.voice.dnis : undefined;
  system.BaseURL = baseUrl();
}

function storeEvent(block, event) {
  App_Last[block] = event;
}

function storeException(block, event) {
  App_Last[block] = event;
  __Log(block + ': ' + event.toSource(), 'exception', 2);
}

function rethrow(block) {
  var error = App_Last[block];
  __Raise(error.name, error.data);
}

function deskOf(dnis) {
  return dnis == '8001' ? 'orders' : 'service';
}
